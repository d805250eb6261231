//! The report as one page of HTML: no script, nothing loaded from elsewhere, dark where the reader
//! has it dark.

use crate::plot::{Plot, Row, Shape};
use crate::report::{Limit, Load, Point, Report, VoicePoint};

/// The whole page.
pub fn page(report: &Report) -> String {
    let mut body = String::new();
    if let Some(load) = &report.load {
        body += &tiles(report, load);
        body += "<main>\n";
        body += &distribution(load).figure();
        for plot in over_time(&load.series) {
            body += &plot.figure();
        }
        body += &report.limit.as_ref().map(steps).unwrap_or_default();
        body += "</main>\n";
    }
    let name = escaped(&report.scenario.name);
    let text = escaped(&report.to_string());
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Load: {name}</title><style>{STYLE}</style></head><body>\n\
         <h1>Load: {name}</h1>\n{body}<pre>{text}</pre>\n</body></html>\n"
    )
}

/// The figures that one looks for first.
fn tiles(report: &Report, load: &Load) -> String {
    let mut tiles = vec![
        (format!("{}", report.joined), "joined"),
        (format!("{:.2} %", load.voices.lost_percent), "frames lost"),
        (format!("{:.1} ms", load.latency.p50_ms), "latency p50"),
        (format!("{:.1} ms", load.latency.p99_ms), "latency p99"),
    ];
    if let Some(server) = &load.server {
        tiles.push((format!("{:.0} us", server.us_per_listener_second), "CPU a listener-second"));
        tiles.push((format!("{:.1} us", server.us_per_packet), "CPU a packet"));
        tiles.push((format!("{:.0} KiB", server.kib_per_onliner), "memory an onliner"));
    }
    let tile = |(figure, what): (String, &str)| format!("<div><b>{figure}</b>{what}</div>");
    let warning = if load.generator.is_bottleneck {
        "<p class=\"warning\">The generator was the bottleneck: delays and losses are its own.</p>"
    } else {
        ""
    };
    let tiles: String = tiles.into_iter().map(tile).collect();
    format!("{warning}<section>{tiles}</section>\n")
}

fn distribution(load: &Load) -> Plot<'static> {
    let steps = &load.latency_steps;
    let total = load.latency.count.max(1) as f64;
    let share = |(ms, count): &(f64, u64)| (*ms, Some(*count as f64 * 100.0 / total));
    Plot {
        title: "Added latency",
        unit: "% of frames up to the p99",
        x_unit: "ms",
        shape: Shape::Bars,
        rows: vec![Row { name: "", points: steps.iter().map(share).collect() }],
    }
}

fn over_time(series: &[Point]) -> Vec<Plot<'static>> {
    let row = |name, value: fn(&Point) -> Option<f64>| Row {
        name,
        points: series.iter().map(|point| (point.at_s, value(point))).collect(),
    };
    let lines = |title, unit, rows| Plot { title, unit, x_unit: "s", shape: Shape::Lines, rows };
    vec![
        lines(
            "Latency",
            "ms",
            vec![
                row("p50", |it| Some(voice(it)?.latency.p50_ms)),
                row("p95", |it| Some(voice(it)?.latency.p95_ms)),
                row("p99", |it| Some(voice(it)?.latency.p99_ms)),
                row("max", |it| Some(voice(it)?.latency.max_ms)),
            ],
        ),
        lines("Frames lost", "%", vec![row("", |it| Some(voice(it)?.lost_percent))]),
        lines(
            "Heard",
            "a second",
            vec![
                row("frames", |it| Some(voice(it)?.heard as f64)),
                row("packets", |it| Some(voice(it)?.packets as f64)),
            ],
        ),
        lines(
            "CPU",
            "% of one core",
            vec![
                row("server", |it| it.server_cpu_percent),
                row("generator", |it| Some(it.generator_cpu_percent)),
            ],
        ),
        lines(
            "Memory of the server",
            "MiB",
            vec![row("", |it| it.server_kib.map(|kib| kib as f64 / 1024.0))],
        ),
        lines(
            "In their calls",
            "onliners",
            vec![
                row("joined", |it| Some(it.joined as f64)),
                row("joins a second", |it| Some(it.joins as f64)),
            ],
        ),
    ]
}

fn voice(point: &Point) -> Option<&VoicePoint> {
    point.voice.as_ref()
}

fn steps(limit: &Limit) -> String {
    let points = limit.steps.iter().map(|step| (step.onliners as f64, Some(step.p99_ms)));
    let plot = Plot {
        title: "Latency p99 by load",
        unit: "ms",
        x_unit: "onliners a call",
        shape: Shape::Lines,
        rows: vec![Row { name: "", points: points.collect() }],
    };
    plot.figure()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const STYLE: &str = "
:root{color-scheme:light dark;--ground:#fbfbfa;--card:#fff;--ink:#1d2125;--faint:#667;\
--edge:#e2e2de;--c0:#1f6fd1;--c1:#c2610c;--c2:#8639c9;--c3:#7c8591}
@media(prefers-color-scheme:dark){:root{--ground:#14171a;--card:#1d2226;--ink:#e8eaec;\
--faint:#9aa3ab;--edge:#343b41;--c0:#6fb1ff;--c1:#ffa860;--c2:#c79bff;--c3:#8a949d}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1360px;padding:16px;background:var(--ground);color:var(--ink);\
font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.35em;margin:.2em 0 .7em}
section{display:grid;gap:10px;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));\
margin-bottom:12px}
section div,figure,pre{background:var(--card);border:1px solid var(--edge);border-radius:8px}
section div{padding:10px 12px;color:var(--faint);font-size:.87em}
section b{display:block;color:var(--ink);font-size:1.45em;font-weight:600}
main{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr))}
figure{margin:0;padding:10px 12px 4px}
figcaption{color:var(--faint);display:flex;flex-wrap:wrap;column-gap:.8em}
figcaption b{color:var(--ink)}
figcaption span{white-space:nowrap}
figcaption i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.3em}
i.c0{background:var(--c0)}i.c1{background:var(--c1)}i.c2{background:var(--c2)}\
i.c3{background:var(--c3)}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--faint);font-size:12px}
svg .end{text-anchor:end}svg .mid{text-anchor:middle}
.grid{stroke:var(--edge);fill:none}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}
path.c0{stroke:var(--c0)}path.c1{stroke:var(--c1)}path.c2{stroke:var(--c2)}\
path.c3{stroke:var(--c3)}
rect.c0{fill:var(--c0)}
pre{padding:12px;overflow-x:auto;font-size:12.5px}
.warning{border-left:4px solid var(--c1);padding:4px 12px}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_marks_of_html_is_text() {
        assert_eq!(escaped("a<b>&c"), "a&lt;b&gt;&amp;c");
    }
}
