// Draws the reference from the document that this server gives. No validator is asked: it would be one from outside.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  showCommonExtensions: true,
  validatorUrl: null,
});
