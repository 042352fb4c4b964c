// Starts Swagger UI, which its package ships, on this server's own description.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null, // it would ask another host
  supportedSubmitMethods: ["get"],
});

// It has a dark look, and leaves it to the page when that is worn.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
