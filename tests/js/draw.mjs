import { readFileSync, writeFileSync } from 'node:fs';
const [,, modules, file, outdir] = process.argv;
const { parse, makeSVG, version } = await import(`${modules}/jsroot/modules/main.mjs`);
console.log(version);
const top = parse(readFileSync(file, 'utf8'));
async function walk(f) {
  for (const x of f.fFolders.arr) {
    if (x.fFolders) await walk(x);
    else {
      const svg = await makeSVG({ object: x, width: 900, height: 600 });
      writeFileSync(`${outdir}/${x.fName.replace(/\W/g,'_')}.svg`, svg);
      console.log(x.fName, svg.length);
    }
  }
}
await walk(top);
