// Builds the page into canary's package: hashed names, and each file compressed beside itself, so
// that canary-server need not compress anything while it serves.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const OUT = "../canary/server/static";

function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    async closeBundle() {
      for (const name of await readdir(OUT, { recursive: true })) {
        if (!/\.(js|css|html|svg)$/.test(name)) {
          continue;
        }
        const path = join(OUT, name);
        const plain = await readFile(path);
        const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
        await writeFile(`${path}.br`, brotliCompressSync(plain, { params: quality }));
        await writeFile(`${path}.gz`, gzipSync(plain, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  // Relative: a proxy may show the page below any path.
  base: "./",
  build: {
    outDir: OUT,
    emptyOutDir: true,
    assetsInlineLimit: 0, // the content security policy allows no data: addresses
    modulePreload: { polyfill: false }, // it would be an inline script
    target: "es2022",
  },
  plugins: [compressed()],
});
