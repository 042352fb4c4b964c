// Makes components that are rendered again only if one of their props has changed.
//
// Keeping elements with useMemo would leak: in Preact such an element holds the tree of the render
// that made it, and through it the trees of all earlier renders. preact/compat has a memo, but
// compat changes how events and props of all elements are handled.
import { Component, h, type FunctionComponent } from "preact";

export function memo<Properties extends object>(
  Drawn: FunctionComponent<Properties>,
): FunctionComponent<Properties> {
  class Memo extends Component<Properties> {
    override shouldComponentUpdate(next: Properties): boolean {
      const names = Object.keys({ ...this.props, ...next }) as (keyof Properties)[];
      return names.some((name) => next[name] !== this.props[name]);
    }

    override render() {
      return h(Drawn, this.props);
    }
  }
  return Memo as unknown as FunctionComponent<Properties>;
}
