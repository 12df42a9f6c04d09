"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const followTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followTheme);
followTheme();

// Swagger UI's own filter finds tags only: find methods, paths and summaries too.
function search(tags, phrase) {
  const wanted = phrase.toLowerCase();
  const isFound = (operation, tag) => [tag, operation.get("method"), operation.get("path"),
    operation.getIn(["operation", "summary"], "")].join(" ").toLowerCase().includes(wanted);
  return tags
    .map((item, tag) => item.update("operations", (all) => all.filter((operation) => isFound(operation, tag))))
    .filter((item) => item.get("operations").size);
}

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  filter: true,
  plugins: [{ fn: { opsFilter: search } }],
  onComplete() {
    const field = document.querySelector(".operation-filter-input");
    field.placeholder = "Search operations";
    field.setAttribute("aria-label", field.placeholder);
  },
});
