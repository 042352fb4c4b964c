import { render } from "preact";
import "./style.css";
import { PageGuard } from "./pageguard";
import { listen } from "./state/keyboard";
import { start } from "./state/live";
import { lineParts } from "./views/liveline";
import { Page } from "./views/page";

const CHECK_INTERVAL = 1_000; // milliseconds between checks of what the page shows

const place = document.getElementById("page");
if (place) {
  const draw = () => render(<Page />, place);
  const redraw = () => {
    render(null, place);
    place.replaceChildren();
    draw();
  };
  start();
  listen();
  draw();
  const guard = new PageGuard(
    place,
    () => lineParts.value.join(""),
    redraw,
    () => performance.now(),
  );
  setInterval(() => guard.check(), CHECK_INTERVAL);
}
