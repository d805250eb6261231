//! Plot: lines and bars as SVG, drawn by hand: a few axes and paths. Knows no report; colours and
//! fonts are classes of the page's style.

use std::fmt::Write;

/// One chart.
pub struct Plot<'a> {
    pub title: &'a str,
    /// Of the values.
    pub unit: &'a str,
    pub x_unit: &'a str,
    pub shape: Shape,
    pub rows: Vec<Row<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Lines,
    Bars,
}

/// Points of one colour, from left to right; where a value is missing the line breaks.
pub struct Row<'a> {
    pub name: &'a str,
    pub points: Vec<(f64, Option<f64>)>,
}

/// The range that the axes show.
struct Frame {
    x: (f64, f64),
    top: f64,
    /// Between two lines of the grid.
    step: f64,
}

impl Plot<'_> {
    /// A figure of HTML, or nothing where there is nothing to draw.
    pub fn figure(&self) -> String {
        let Some(frame) = self.frame() else {
            return String::new();
        };
        let Self { title, unit, .. } = self;
        let mut out = format!("<figure><figcaption><span><b>{title}</b>, {unit}</span>");
        if self.rows.len() > 1 {
            for (at, row) in self.rows.iter().enumerate() {
                let _ = write!(out, "<span><i class=\"c{at}\"></i>{}</span>", row.name);
            }
        }
        let _ = write!(
            out,
            "</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{title}\">"
        );
        self.axes(&frame, &mut out);
        for (at, row) in self.rows.iter().enumerate() {
            match self.shape {
                Shape::Lines => row.lines(at, &frame, &mut out),
                Shape::Bars => row.bars(at, &frame, &mut out),
            }
        }
        out + "</svg></figure>\n"
    }

    fn frame(&self) -> Option<Frame> {
        let points = || self.rows.iter().flat_map(|row| &row.points);
        let first = points().map(|(x, _)| *x).reduce(f64::min)?;
        let last = points().map(|(x, _)| *x).reduce(f64::max)?;
        let top = points().filter_map(|(_, y)| *y).reduce(f64::max)?;
        let step = round_step(if top > 0.0 { top } else { 1.0 }, 4.0);
        let top = (top / step - 1e-9).ceil().max(1.0) * step;
        let first = if self.shape == Shape::Bars { 0.0 } else { first };
        Some(Frame { x: (first, last.max(first + 1e-6)), top, step })
    }

    fn axes(&self, frame: &Frame, out: &mut String) {
        let step = frame.step;
        for at in 0..=(frame.top / step + 1e-6) as u32 {
            let value = f64::from(at) * step;
            let y = frame.y(value);
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" class=\"end\">{}</text>",
                LEFT - 5.0,
                y + 4.0,
                number(value, step)
            );
        }
        let step = round_step(frame.x.1 - frame.x.0, 5.0);
        let mut value = (frame.x.0 / step).ceil() * step;
        while value <= frame.x.1 + 1e-9 {
            let x = frame.x(value);
            let _ = write!(
                out,
                "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"mid\">{}</text>",
                BOTTOM + 16.0,
                number(value, step)
            );
            value += step;
        }
        let _ = write!(
            out,
            "<text x=\"{RIGHT}\" y=\"{:.1}\" class=\"end\">{}</text>",
            BOTTOM + 32.0,
            self.x_unit
        );
    }
}

impl Row<'_> {
    fn lines(&self, colour: usize, frame: &Frame, out: &mut String) {
        let mut path = String::new();
        let mut is_drawing = false;
        for (x, y) in &self.points {
            if let Some(y) = y {
                let letter = if is_drawing { 'L' } else { 'M' };
                let _ = write!(path, "{letter}{:.1} {:.1}", frame.x(*x), frame.y(*y));
            }
            is_drawing = y.is_some();
        }
        let _ = write!(out, "<path class=\"line c{colour}\" d=\"{path}\"/>");
    }

    fn bars(&self, colour: usize, frame: &Frame, out: &mut String) {
        let mut left = frame.x(frame.x.0);
        for (x, y) in &self.points {
            let (right, top) = (frame.x(*x), frame.y(y.unwrap_or(0.0)));
            let _ = write!(
                out,
                "<rect class=\"c{colour}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" \
                 height=\"{:.1}\"/>",
                (right - left - 0.6).max(0.5),
                BOTTOM - top
            );
            left = right;
        }
    }
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        LEFT + (value - self.x.0) / (self.x.1 - self.x.0) * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - value / self.top * (BOTTOM - TOP)
    }
}

/// 1, 2 or 5 times a power of ten, so that a range has about `count` steps.
fn round_step(range: f64, count: f64) -> f64 {
    let rough = range / count;
    let power = 10_f64.powf(rough.log10().floor());
    let lead = [1.0, 2.0, 5.0, 10.0].into_iter().find(|lead| lead * power >= rough * 0.999);
    lead.unwrap_or(10.0) * power
}

/// As many digits as the step needs; thousands as k.
fn number(value: f64, step: f64) -> String {
    if step >= 1000.0 {
        return format!("{}k", value / 1000.0);
    }
    let digits = (-step.log10().floor()).max(0.0) as usize;
    format!("{value:.digits$}")
}

/// The drawing's size; the page scales it.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 404.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 190.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, Option<f64>)>) -> String {
        let rows = vec![Row { name: "a", points }];
        Plot { title: "T", unit: "ms", x_unit: "s", shape: Shape::Lines, rows }.figure()
    }

    #[test]
    fn a_line_breaks_where_a_value_is_missing() {
        let drawn = plot(vec![(0.0, Some(1.0)), (1.0, None), (2.0, Some(2.0)), (3.0, Some(0.0))]);
        let path = drawn.split("class=\"line c0\" d=\"").nth(1).expect("a line");
        assert_eq!(path.matches('M').count(), 2);
        assert!(drawn.contains(">2.0</text>") || drawn.contains(">2</text>"), "{drawn}");
    }

    #[test]
    fn nothing_to_draw_draws_nothing() {
        assert_eq!(plot(Vec::new()), "");
        assert_eq!(plot(vec![(0.0, None)]), "");
    }

    #[test]
    fn axes_have_round_steps() {
        for (range, step) in [(10.0, 5.0), (3.7, 1.0), (0.9, 0.5), (400.0, 100.0), (7.0, 2.0)] {
            assert_eq!(round_step(range, 4.0), step, "{range}");
        }
        assert_eq!((number(2000.0, 1000.0), number(0.25, 0.05)), ("2k".into(), "0.25".into()));
    }
}
