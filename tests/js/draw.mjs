// Reads a file of histograms with JSROOT's own parser, draws each, and looks for every bin in the
// drawing.
//
//     node draw.mjs NODE_MODULES run00042.histos.json [DIRECTORY FOR DRAWINGS]
//
// Contents are compared with Python by check_histos.py; here a bin must be drawn where its content
// puts it. The first difference ends the check with exit code 1.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';

const [, , modules, file, drawings] = process.argv;
const jsroot = pathToFileURL(resolve(modules, 'jsroot/modules/main.mjs')).href;
const { parse, makeSVG } = await import(jsroot);

// JSROOT's frame in a drawing of this size, in pixels.
const [WIDTH, HEIGHT] = [900, 600];
const [ACROSS, UP] = [720, 480];

// Pixels that rounding may take.
const SLACK = 1.5;

const top = parse(readFileSync(file, 'utf8'));
assert.equal(top._typename, 'TFolder');
assert.equal(top.fName, `run${String(top.pactolus.runs[0]).padStart(5, '0')}`);

let bins = 0;
const drawn = [];
for (const [path, histogram] of leaves(top, '')) {
   assert.equal(histogram.pactolus.name, path);
   const svg = await makeSVG({ object: histogram, width: WIDTH, height: HEIGHT });
   if (drawings) {
      mkdirSync(drawings, { recursive: true });
      writeFileSync(`${drawings}/${path.replaceAll(/\W+/g, '_')}.svg`, svg);
   }
   const before = bins;
   check(path, histogram, svg);
   drawn.push(`${path}: ${histogram._typename}, ${bins - before} bins found`);
}
assert.equal(drawn.length, 9);
console.log(drawn.join('\n'));

function* leaves(folder, path) {
   for (const item of folder.fFolders.arr) {
      if (item.fFolders)
         yield* leaves(item, `${path}${item.fName}/`);
      else
         yield [path + item.fName, item];
   }
}

function check(path, histogram, svg) {
   const texts = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(match => match[1]);
   const titles = [histogram.fTitle, histogram.fName, histogram.fXaxis.fTitle, histogram.fYaxis.fTitle];
   for (const title of [...titles, 'Entries', String(histogram.fEntries)])
      assert.ok(title === '' || texts.includes(title), `${path}: "${title}" is not drawn, but ${texts}`);
   assert.notEqual(histogram.fXaxis.fTitle, '', path);
   if (histogram.fXaxis.fTimeDisplay)
      assert.ok(texts.some(text => /^\d\d:\d\d:\d\d$/.test(text)), `${path}: no times in ${texts}`);
   // What is drawn within the frame.
   const inside = svg.match(/<svg x="0" y="0".*?<\/svg>/s)?.[0] ?? '';
   const shapes = [...inside.matchAll(/<path d="([^"]*)"/g)].map(match => match[1]);
   if (histogram._typename === 'TH2D')
      cells(path, histogram, shapes);
   else if (histogram.fSumw2.length > 0)
      bars(path, histogram, shapes);
   else
      steps(path, histogram, shapes);
}

/** Contents of the bins within the axis: those that are not empty, with where they begin and end. */
function filled(histogram) {
   const axis = histogram.fXaxis, found = [];
   const pixel = x => (x - axis.fXmin) / (axis.fXmax - axis.fXmin) * ACROSS;
   for (let i = 1; i <= axis.fNbins; ++i) {
      const content = histogram.getBinContent(i), error = histogram.getBinError(i);
      if (content || error)
         found.push({ content, error, from: pixel(axis.GetBinLowEdge(i)), to: pixel(axis.GetBinLowEdge(i + 1)) });
   }
   return found;
}

/** Pixels must be a straight line over contents; returns pixels per unit. */
function straight(path, pairs) {
   const lowest = pairs.reduce((a, b) => a.content < b.content ? a : b);
   const highest = pairs.reduce((a, b) => a.content > b.content ? a : b);
   const slope = (highest.y - lowest.y) / (highest.content - lowest.content);
   assert.ok(slope < 0, `${path}: more must be higher`);
   for (const { content, y } of pairs) {
      const wanted = lowest.y + (content - lowest.content) * slope;
      assert.ok(Math.abs(y - wanted) <= SLACK, `${path}: ${content} is drawn at ${y}, not at ${wanted}`);
   }
   bins += pairs.length;
   return -slope;
}

/** A line of steps, `M0,458h12v-14h12`: its height in the middle of each bin. */
function steps(path, histogram, shapes) {
   const shape = shapes.find(shape => /^M[\d.]+,\d+h/.test(shape)) ?? '';
   const [, x0, y0] = shape.match(/^M([\d.]+),([\d.]+)/).map(Number);
   let x = x0, y = y0;
   const levels = [];
   for (const [, way, by] of shape.matchAll(/([hv])(-?[\d.]+)/g)) {
      if (way === 'h') {
         levels.push({ from: x, to: x + Number(by), y });
         x += Number(by);
      } else
         y += Number(by);
   }
   const at = middle => levels.find(level => level.from <= middle && middle < level.to);
   straight(path, filled(histogram).map(({ content, from, to }) => {
      const level = at((from + to) / 2);
      assert.ok(level, `${path}: nothing is drawn at ${from}`);
      return { content, y: level.y };
   }));
}

/** Error bars: `M0,422h12M6,396v52` for each bin. */
function bars(path, histogram, shapes) {
   const drawn = shapes.flatMap(shape =>
      [...shape.matchAll(/M([\d.]+),(-?[\d.]+)h([\d.]+)M[\d.]+,(-?[\d.]+)v([\d.]+)/g)].map(match => match.slice(1).map(Number)));
   const wanted = filled(histogram);
   assert.equal(drawn.length, wanted.length, `${path}: bars for ${wanted.length} bins`);
   const scale = straight(path, wanted.map(({ content, from, to }, i) => {
      const [x, y, width] = drawn[i];
      assert.ok(Math.abs(x - from) <= SLACK && Math.abs(x + width - to) <= SLACK, `${path}: bar ${i} at ${x}, not ${from}`);
      return { content, y };
   }));
   wanted.forEach(({ error }, i) => {
      const height = drawn[i][4];
      assert.ok(Math.abs(height - 2 * error * scale) <= 2 * SLACK, `${path}: bar ${i} of ${height}, not ${2 * error * scale}`);
   });
}

/** Rectangles `M0,182h12v106h-12z`, those of one colour in one path: their whole area. */
function cells(path, histogram, shapes) {
   const { fXaxis: across, fYaxis: up } = histogram;
   // Where there are negative contents, JSROOT has a colour for zero.
   const negative = histogram.fArray.some(content => content < 0);
   let wanted = 0, count = 0;
   for (let i = 1; i <= across.fNbins; ++i) {
      for (let j = 1; j <= up.fNbins; ++j) {
         if (!negative && !histogram.getBinContent(i, j))
            continue;
         const pixel = edge => Math.round((edge - up.fXmin) / (up.fXmax - up.fXmin) * UP);
         wanted += ACROSS / across.fNbins * (pixel(up.GetBinLowEdge(j + 1)) - pixel(up.GetBinLowEdge(j)));
         ++count;
      }
   }
   let area = 0;
   for (const [, width, height] of shapes.join(' ').matchAll(/h(\d+)v(\d+)h-\d+z/g))
      area += width * height;
   assert.ok(count > 100 && area > 0);
   assert.ok(Math.abs(area - wanted) <= 0.001 * wanted, `${path}: ${area} pixels are drawn, not ${wanted}`);
   assert.ok(shapes.length > 5, `${path}: ${shapes.length} colours`);
   bins += count;
}
