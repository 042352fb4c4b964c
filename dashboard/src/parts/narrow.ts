// Whether the page is as narrow as on a phone; style.css says so with the same width.
export const narrow = matchMedia("(max-width: 44rem)");
