import reactHooks from "eslint-plugin-react-hooks";
import { defineConfig } from "eslint/config";
import typescript from "typescript-eslint";

export default defineConfig(
  { ignores: ["node_modules", "src/api/schema.d.ts"] },
  typescript.configs.strictTypeChecked,
  typescript.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ["eslint.config.js"] } },
    },
    plugins: { "react-hooks": reactHooks },
    rules: {
      "react-hooks/rules-of-hooks": "error",
      "react-hooks/exhaustive-deps": "error",
      // What a payload holds is hostile: text only, and no code out of strings.
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Payloads are hostile: show text." },
        { property: "outerHTML", message: "Payloads are hostile: show text." },
        { property: "insertAdjacentHTML", message: "Payloads are hostile: show text." },
        { property: "dangerouslySetInnerHTML", message: "Payloads are hostile: show text." },
      ],
      "no-eval": "error",
      "no-implied-eval": "off", // the typed rule of the same name is on
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  { files: ["eslint.config.js"], extends: [typescript.configs.disableTypeChecked] },
);
