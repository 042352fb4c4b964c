import { render } from "preact";
import "./style.css";
import { listen } from "./state/keys";
import { begin } from "./state/live";
import { Page } from "./views/page";

const place = document.getElementById("page");
if (place) {
  begin();
  listen();
  render(<Page />, place);
}
