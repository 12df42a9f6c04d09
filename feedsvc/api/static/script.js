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

const plugin = ({ React }) => ({
  fn: { opsFilter: search },
  // Without a link in the button of an operation, which sets the address by itself.
  components: { DeepLink: ({ text }) => React.createElement("span", null, text) },
  // The heading between the title of the page and those of the tags.
  wrapComponents: {
    operations: (Operations) => (props) => React.createElement(React.Fragment, null,
      React.createElement("h2", { className: "wrapper" }, "Operations"),
      React.createElement(Operations, props)),
  },
});

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  filter: true,
  plugins: [plugin],
  onComplete() {
    document.querySelector(".operation-filter-input").placeholder = "Search operations";
    // Names that Swagger UI does not give to fields and to parts of the page.
    const names = {
      ".operation-filter-input": "Search operations",
      "#servers": "Server",
      ".information-container section": "API",
      ".schemes": "Server and authorization",
      ".filter": "Search",
    };
    for (const [selector, name] of Object.entries(names)) {
      document.querySelector(selector).setAttribute("aria-label", name);
    }
  },
});
