// Starts Swagger UI, which its package ships, on this server's own description.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null, // it would ask another host
  supportedSubmitMethods: ["get"],
});
