// Starts Swagger UI, as its package ships it, with this server's OpenAPI description.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null, // would send requests to another host
  supportedSubmitMethods: ["get"],
});

// Swagger UI has a dark mode; the page decides when it is on.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
