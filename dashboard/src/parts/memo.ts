// Components that are drawn anew only where one of their properties is another one.
//
// Not elements kept by useMemo: in Preact each of those holds the tree of the drawing that it was
// made in, and through that all earlier ones. Nor preact/compat's memo: compat changes how every
// element's events and properties are taken.
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
