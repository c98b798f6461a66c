//! `pactolus hist`, as a user sees it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

use pactolus::Catalogue;
use pactolus::histo::{
    Axis, FileKind, Hist1, Hist2, Histogram, Histograms, Profile, Strip, WeightedHist1, WeightedHist2,
};
use pactolus_cli::App;
use tempfile::TempDir;

/// A directory with a file of histograms.
struct Place(TempDir);

impl Place {
    fn new(list: Vec<Histogram>) -> Place {
        let place = Place(TempDir::new().unwrap());
        let mut all = Histograms { list, ..Histograms::default() };
        all.runs.insert(42);
        all.write(&place.path("run.histos.json"), FileKind::Json, &serde_json::json!({})).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Exit code, output and errors of `pactolus hist` with this file and these arguments; `@` stands
    /// for the directory.
    fn run(&self, args: &[&str]) -> (u8, String, String) {
        let dir = format!("{}/", self.0.path().display());
        let args = ["hist", "@run.histos.json"].iter().chain(args);
        let args: Vec<OsString> = args.map(|arg| arg.replace('@', &dir).into()).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = pactolus_cli::run(&App::new(Catalogue::new()), &args, &mut out, &mut err);
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(&dir, "");
        (code, text(out), text(err))
    }

    #[track_caller]
    fn check(&self, args: &[&str], wanted: &str) {
        let (code, out, err) = self.run(args);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out == wanted, "found:\n{out}\nwanted:\n{wanted}");
    }
}

/// Numbers from 0 to 1 that lie evenly.
fn even(n: u32) -> impl Iterator<Item = f64> {
    (0..n).map(|i| (f64::from(i) * 0.618_033_988_749_895).fract())
}

fn amplitude() -> Histogram {
    let axis = Axis::regular(50, 0.0, 200.0).title("Amplitude").unit("MeV");
    let peak = even(600).map(|x| 120.0 + (x - 0.5) * (x - 0.5).abs() * 60.0);
    let points = even(1200).map(|x| -(1.0 - x).ln() * 50.0 - 2.0).chain(peak);
    Histogram::filled("ADC/CADC00", Hist1::new(axis).title("Amplitude of channel 0"), points).unwrap()
}

fn balance() -> Histogram {
    let axis = Axis::regular(10, -5.0, 5.0).title("Angle").unit("rad");
    let points = (0..10).map(|i| (f64::from(i) - 4.5, f64::from(i) * 3.0 - 11.5));
    Histogram::filled("balance", WeightedHist1::new(axis), points).unwrap()
}

fn plane() -> Histogram {
    let (x, y) = (Axis::regular(30, -3.0, 3.0).title("x").unit("mm"), Axis::integer(0, 5).title("Layer"));
    let points = (0..3000).map(|i| {
        let x = (f64::from(i) * 0.618_033_988_749_895).fract() * 2.0 - 1.0;
        (x * x.abs() * 3.2, f64::from(i % 7) - 0.5)
    });
    Histogram::filled("Hits/plane", Hist2::new(x, y).title("Hits <in> the \"plane\" & more"), points).unwrap()
}

fn drift() -> Histogram {
    let axis = Axis::regular(8, 0.0, 80.0).title("Wire");
    let points =
        (0..4000).map(|i| (f64::from(i % 70), 300.0 + f64::from((i * 37) % 101) + f64::from(i % 70)));
    Histogram::filled("drift", Profile::new(axis).value("Drift time", "ns"), points).unwrap()
}

#[test]
fn histograms_are_listed() {
    let strip = Histogram::filled("HV/Temperature", Strip::new(10).value("T", "degC"), [21.0, 22.0]).unwrap();
    let empty = Histogram::filled(
        "a name that is far too long for its column",
        Hist1::new(Axis::integer(0, 3)),
        [0; 0],
    );
    let place = Place::new(vec![amplitude(), plane(), drift(), strip, empty.unwrap()]);
    place.check(&[], LIST);
    let (code, json, _) = place.run(&["CADC00", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json["histograms"].as_array().unwrap().len()), (0, 1));
    let one = &json["histograms"][0];
    assert_eq!(
        (&one["name"], &one["entries"], &one["x"]["bins"]),
        (&"ADC/CADC00".into(), &1800.into(), &50.into())
    );
    assert_eq!(
        one["underflow"].as_u64().unwrap() + one["overflow"].as_u64().unwrap(),
        one["outside"].as_u64().unwrap()
    );
    assert!(one["underflow"].as_u64().unwrap() > 0 && one["mean"].as_f64().unwrap() > 50.0);
}

#[test]
fn bars_are_drawn() {
    let place = Place::new(vec![amplitude()]);
    place.check(&["cadc00"], BARS);
    place.check(&["CADC*", "--log", "--range", "80", "160"], LOG);
}

#[test]
fn weights_may_be_negative() {
    Place::new(vec![balance()]).check(&["balance"], BALANCE);
}

#[test]
fn cells_are_shaded() {
    Place::new(vec![plane()]).check(&["plane"], PLANE);
}

#[test]
fn means_are_points_with_errors() {
    Place::new(vec![drift()]).check(&["drift"], DRIFT);
}

#[test]
fn a_picture_in_svg_is_the_same_everywhere() {
    let place = Place::new(vec![balance()]);
    place.check(&["-o", "@%s.svg", "--size", "400x300"], "balance.svg: balance\n");
    let svg = fs::read_to_string(place.path("balance.svg")).unwrap();
    let golden = include_str!("hist/balance.svg");
    assert!(svg == golden, "{svg}");
}

#[test]
fn titles_are_text_in_xml() {
    let place = Place::new(vec![plane()]);
    place.check(&["plane", "-o", "@p.svg"], "p.svg: Hits/plane\n");
    let svg = fs::read_to_string(place.path("p.svg")).unwrap();
    assert!(svg.contains(">Hits &lt;in&gt; the &quot;plane&quot; &amp; more</text>"), "{svg}");
}

/// Width, height, and pixels of three bytes, of a PNG that has one chunk of them.
fn decode(png: &[u8]) -> (usize, usize, Vec<u8>) {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let (mut at, mut size, mut packed) = (8, (0, 0), Vec::new());
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
    while at < png.len() {
        let length = number(at);
        let (name, contents) = (&png[at + 4..at + 8], &png[at + 8..at + 8 + length]);
        let mut crc = flate2::Crc::new();
        crc.update(&png[at + 4..at + 8 + length]);
        assert_eq!(crc.sum() as usize, number(at + 8 + length));
        match name {
            b"IHDR" => {
                size = (number(at + 8), number(at + 12));
                assert_eq!(contents[8..], [8, 2, 0, 0, 0]);
            }
            b"IDAT" => packed.extend_from_slice(contents),
            _ => assert_eq!((name, length), (&b"IEND"[..], 0)),
        }
        at += 12 + length;
    }
    let mut rows = Vec::new();
    flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut rows).unwrap();
    let mut pixels = Vec::new();
    for row in rows.chunks(1 + size.0 * 3) {
        assert_eq!(row[0], 1, "filter Sub");
        let mut before = [0_u8; 3];
        for pixel in row[1..].chunks(3) {
            before = std::array::from_fn(|i| before[i].wrapping_add(pixel[i]));
            pixels.extend(before);
        }
    }
    assert_eq!(pixels.len(), size.0 * size.1 * 3);
    (size.0, size.1, pixels)
}

#[test]
fn pictures_in_png_show_something() {
    let place = Place::new(vec![amplitude(), plane(), drift(), balance()]);
    let (code, out, err) = place.run(&["*", "-o", "@%s.png", "--size", "640x400"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out.lines().next(), Some("ADC-CADC00.png: ADC/CADC00"));
    for name in ["ADC-CADC00", "Hits-plane", "drift", "balance"] {
        let (width, height, pixels) = decode(&fs::read(place.path(&format!("{name}.png"))).unwrap());
        assert_eq!((width, height), (640, 400));
        let of = |test: &dyn Fn(&[u8]) -> bool| pixels.chunks(3).filter(|pixel| test(pixel)).count();
        let (white, dark) = (of(&|p| p == [255, 255, 255]), of(&|p| p.iter().all(|c| *c < 90)));
        let coloured = of(&|p| p[0].abs_diff(p[2]) > 20);
        assert!(white > 50_000 && dark > 900 && coloured > 300, "{name}: {white} {dark} {coloured}");
        // Text in the title, and nothing at the very edge.
        assert!(pixels[..640 * 3 * 4].iter().all(|c| *c == 255), "{name}");
        assert!(pixels[640 * 3 * 8..640 * 3 * 26].iter().any(|c| *c < 100), "{name}");
    }
}

#[test]
fn a_million_cells_make_a_small_picture() {
    let axis = || Axis::regular(1000, 0.0, 1.0);
    let points = even(200_000).zip(even(200_000).map(|y| (y * 77.7).fract()));
    let place = Place::new(vec![Histogram::filled("big", Hist2::new(axis(), axis()), points).unwrap()]);
    place.check(&["big", "-o", "@big.svg"], "big.svg: big\n");
    let svg = fs::read_to_string(place.path("big.svg")).unwrap();
    assert!(svg.len() < 400_000 && svg.contains("data:image/png;base64,"), "{}", svg.len());
}

#[test]
fn strange_histograms_are_drawn() {
    let x = || Axis::regular(10, -1e308, 0.7e308);
    let weighted = |name: &str, points: Vec<(f64, f64)>| {
        Histogram::filled(name, WeightedHist1::new(x()), points).unwrap()
    };
    let many = Axis::regular(500_000, 0.0, 1.0);
    let edges: Vec<f64> = (0..200).map(|i| 10f64.powi(i - 100)).collect();
    let two = WeightedHist2::new(Axis::regular(3, 0.0, 3.0), Axis::variable([0.0, 1e-9, 1.0]));
    let list = vec![
        Histogram::filled("empty", Hist1::new(Axis::regular(5, 0.0, 1.0)), [0.0; 0]).unwrap(),
        Histogram::filled("empty2", Hist2::new(many.clone(), Axis::regular(1, 0.0, 1.0)), [(0.0, 0.0); 0])
            .unwrap(),
        Histogram::filled("emptystrip", Strip::new(1), [0.0; 0]).unwrap(),
        Histogram::filled("one", Hist1::new(Axis::regular(1, 0.0, 1e-270)), [0.0; 3]).unwrap(),
        Histogram::filled("many", Hist1::new(many), even(5000)).unwrap(),
        weighted("infinite", vec![(0.0, f64::INFINITY), (1e307, f64::NAN)]),
        weighted("huge", vec![(0.0, f64::MAX), (-3e307, -f64::MAX)]),
        weighted("tiny", vec![(0.0, 5e-324), (-3e307, -5e-324)]),
        weighted("zero", vec![(0.0, 0.0)]),
        Histogram::filled("edges", Hist1::new(Axis::variable(edges)), [1e-90, 1.0, 1e90]).unwrap(),
        Histogram::filled("cells", two, [(0.5, 0.5, f64::NAN), (1.5, 0.5, -2.0), (2.5, 1e-10, 1e300)])
            .unwrap(),
        Histogram::filled("strip", Strip::new(10), [1e300, -1e300]).unwrap(),
        Histogram::filled("last", Strip::new(10), [5.0]).unwrap(),
    ];
    let place = Place::new(list);
    for args in [
        &["*"][..],
        &["*", "--log"],
        &["*", "-o", "@%s.png", "--size", "200x200"],
        &["*", "-o", "@%s.svg", "--log"],
    ] {
        let (code, out, err) = place.run(args);
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
        assert!(!out.contains('\x1b'));
    }
    for name in ["huge", "edges", "infinite"] {
        let svg = fs::read_to_string(place.path(&format!("{name}.svg"))).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf "), "{svg}");
    }
}

const LIST: &str = r#"run.histos.json: 5 histograms, run 42
  name                    kind      entries       mean      sigma   under    over
  ADC/CADC00              1-D          1800     71.772     48.755      48      22
  Hits/plane              2-D          3000  0.0017193     1.3429      49      47
  drift                   profile      4000     384.43     35.475       0       0
  HV/Temperature          strip           2       21.5        0.5       0       0
  a name that is far too long for its column
                          1-D             0          -          -       0       0
mean and sigma: of x; of profiles and strips, of the value
"#;
const BARS: &str = r#"ADC/CADC00: Amplitude of channel 0
  entries 1800  mean 71.772 MeV  sigma 48.755 MeV  underflow 48  overflow 22

   200 ┤
       │
       │                              ▁
       │                             ██
   150 ┤                             ██
       │                             ██
       │                             ██
       │                             ██
   100 ┤                             ██
       │█▅                           ██
       │███▄▁                       ▇██▅
       │█████▆▃▁                   ▆████▃
    50 ┤████████▅▅▁               ▄██████▁
       │████████████▅▄▃▁          ████████
       │█████████████████▆▆▄▄▂▂▂  ████████
       │█████████████████████████▇████████▄▃▄▃▃▂▃▂▁▃▁▂▁▁▁▁
     0 ┴┬───────────┬────────────┬───────────┬────────────┬
        0          50           100         150          200
                                            Amplitude [MeV]
"#;
const LOG: &str = r#"ADC/CADC00: Amplitude of channel 0
  entries 1800  mean 71.772 MeV  sigma 48.755 MeV  underflow 48  overflow 22

  1000 ┤
       │
       │
       │
       │                           ▂▂▂▂▂▂
       │                           ██████
   100 ┤                        ▂▂▂██████▁▁▁
       │                     ▅▅▅████████████▄▄▄
       │                  ▇▇▇██████████████████▄▄▄
       │                  ████████████████████████
       │▄▄▄▂▂▂▂▂▂         ████████████████████████
       │████████████▅▅▅▂▂▂████████████████████████
    10 ┤██████████████████████████████████████████
       │██████████████████████████████████████████▅▅▅▂▂▂▅▅▅   ▂▂▂
       │███████████████████████████████████████████████████▅▅▅███
       │█████████████████████████████████████████████████████████▇▇▇
       │████████████████████████████████████████████████████████████
       │████████████████████████████████████████████████████████████
     1 ┴┬──────────────┬──────────────┬──────────────┬──────────────┬
       80             100            120            140            160
                                                      Amplitude [MeV]
"#;
const BALANCE: &str = r#"balance
  entries 10  mean 12.375 rad  sigma 0 rad  underflow 0  overflow 0

    20 ┤
       │                                                               ▂▂▂▂▂▂▂
       │                                                               ███████
       │                                                        ██████████████
    10 ┤                                                 ▆▆▆▆▆▆▆██████████████
       │                                          ▅▅▅▅▅▅▅█████████████████████
       │                                   ▃▃▃▃▃▃▃████████████████████████████
       │                            ▂▂▂▂▂▂▂███████████████████████████████████
     0 ┤████████████████████████████
       │█████████████████████
       │██████████████▔▔▔▔▔▔▔
       │███████▀▀▀▀▀▀▀
   -10 ┤▀▀▀▀▀▀▀
       │
       │
       │
   -20 ┴───────┬─────────────┬─────────────┬─────────────┬─────────────┬───────
              -4            -2             0             2             4
                                                                    Angle [rad]
"#;
const PLANE: &str = r#"Hits/plane: Hits <in> the "plane" & more
  entries 3000  mean x 0.0017193 mm  sigma x 1.3429 mm  mean y 3.001
  sigma y 1.7061  outside 509

  Layer
       │░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
     5 ┤░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
       │░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
       │░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
     4 ┤░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
       │░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
       │░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
     3 ┤░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
       │░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
       │░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
     2 ┤░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
       │░░░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
       │░░░░░░░░░░░░░░░░░░░░▒▒░░▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
     1 ┤░░░░░░░░░░░░░░░░░░░░▒▒░░▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
       │░░░░░░░░░░░░░░░░░░░░▒▒░░▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
       │░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
     0 ┤░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
       │░░░░░░░░░░░░░░░░░░░░▒▒▒▒▒▒▒▒████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░
       └┬─────────┬─────────┬─────────┬─────────┬─────────┬─────────┬
       -3        -2        -1         0         1         2         3
                                                               x [mm]
  ░ above 0  ▒ from 14  ▓ from 28  █ from 42, at most 56
"#;
const DRIFT: &str = r#"drift
  entries 4000  mean 384.43 ns  sigma 35.475 ns  underflow 0  overflow 0

  Drift time [ns]
   420 ┤                                                   │
       │                                                   •
       │                                           │
       │                                           •
   400 ┤                                   │
       │                                   •
       │                           │
       │                           •
   380 ┤                   │
       │                   •
       │           │
       │           •
   360 ┤   │
       │   •
       │
       │
   340 ┴┬───────┬───────┬───────┬───────┬───────┬───────┬───────┬───────┬
        0      10      20      30      40      50      60      70      80
                                                                     Wire
"#;
