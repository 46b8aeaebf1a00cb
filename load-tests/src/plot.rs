//! Plots as SVG, for README files: written here rather than by a library because two kinds are all there are.
//!
//! Colours follow the reader's light or dark scheme.

use std::fmt::Write as _;

/// The head of a plot; `{}` are its width and height.
const STYLE: &str = "<style>text{font:13px sans-serif;fill:#57606a}.title{font-weight:600;fill:#24292f}\
    .line{stroke:#d0d7de;stroke-width:1}.a{fill:#0969da;stroke:#0969da}.b{fill:#8c959f;stroke:#8c959f}\
    .c{fill:#bc4c00;stroke:#bc4c00}path{fill:none!important;stroke-width:2}\
    @media(prefers-color-scheme:dark){text{fill:#8b949e}.title{fill:#e6edf3}.line{stroke:#30363d}\
    .a{fill:#4493f8;stroke:#4493f8}.b{fill:#656c76;stroke:#656c76}.c{fill:#f0883e;stroke:#f0883e}}</style>\n";

/// A number with a name.
#[derive(Debug)]
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// The number, more than 0.
    pub value: f64,
    /// The class of its colour: `a`, `b` or `c`.
    pub colour: &'static str,
}

/// Points that belong together.
#[derive(Debug)]
pub struct Series {
    /// What they are of.
    pub name: String,
    /// Positions and numbers, by position; both more than 0.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 760.0;
/// Room for names on the left.
const NAMES: f64 = 330.0;
const ROW: f64 = 24.0;

/// Numbers on a logarithmic axis, one a line.
#[must_use]
pub fn bars(title: &str, bars: &[Bar]) -> String {
    let height = ROW.mul_add(bars.len() as f64, 64.0);
    let values = || bars.iter().map(|bar| bar.value);
    let axis = Axis::over(values(), NAMES, WIDTH - 90.0);
    let mut svg = head(height, title);
    for decade in axis.decades() {
        let x = axis.place(decade);
        push(
            &mut svg,
            format_args!("<line class=\"line\" x1=\"{x:.0}\" y1=\"36\" x2=\"{x:.0}\" y2=\"{:.0}\"/>\n", height - 26.0),
        );
        text(&mut svg, (x, height - 8.0), "middle", &short(decade));
    }
    for (row, bar) in bars.iter().enumerate() {
        let (x, y) = (axis.place(bar.value), ROW.mul_add(row as f64, 52.0));
        text(&mut svg, (NAMES - 12.0, y + 4.0), "end", &bar.name);
        let colour = bar.colour;
        push(
            &mut svg,
            format_args!(
                "<rect class=\"{colour}\" x=\"{NAMES}\" y=\"{:.0}\" width=\"{:.0}\" height=\"2\"/>",
                y - 1.0,
                x - NAMES
            ),
        );
        push(&mut svg, format_args!("<circle class=\"{colour}\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"5\"/>\n"));
        text(&mut svg, (x + 10.0, y + 4.0), "start", &short(bar.value));
    }
    svg.push_str("</svg>\n");
    svg
}

const PANEL: f64 = 380.0;
/// Lines across a panel above its foot.
const STEPS: f64 = 4.0;

/// The distance of lines that reach `most`, a number people like.
fn step(most: f64) -> f64 {
    let exact = most.max(1e-9) / STEPS;
    let decade = 10_f64.powf(exact.log10().floor());
    let round = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0].into_iter().find(|round| round * decade >= exact);
    round.unwrap_or(10.0) * decade
}

/// Lines over a logarithmic axis, in panels beside each other that share nothing.
#[must_use]
pub fn panels(title: &str, panels: &[(String, Vec<Series>)]) -> String {
    const CLASSES: [&str; 3] = ["a", "c", "b"];
    let height = 300.0;
    let width = PANEL * panels.len() as f64;
    let mut svg = head_of(width, height, title);
    for (number, (name, series)) in panels.iter().enumerate() {
        let left = PANEL.mul_add(number as f64, 60.0);
        let points = || series.iter().flat_map(|series| &series.points);
        let across = Axis::over(points().map(|(x, _)| *x), left, left + PANEL - 90.0);
        let step = step(points().map(|(_, y)| *y).fold(0.0, f64::max) * 1.1);
        let most = step * STEPS;
        let up = |y: f64| 245.0 - y / most * 180.0;
        text(&mut svg, (left, 48.0), "start", name);
        for number in [0.0, 1.0, 2.0, 3.0, STEPS] {
            let y = up(number * step);
            push(
                &mut svg,
                format_args!(
                    "<line class=\"line\" x1=\"{left:.0}\" y1=\"{y:.0}\" x2=\"{:.0}\" y2=\"{y:.0}\"/>\n",
                    left + PANEL - 90.0
                ),
            );
            text(&mut svg, (left - 8.0, y + 4.0), "end", &short(number * step));
        }
        for (x, _) in series.first().iter().flat_map(|series| &series.points) {
            text(&mut svg, (across.place(*x), 265.0), "middle", &short(*x));
        }
        for (series, class) in series.iter().zip(CLASSES) {
            let path = series.points.iter().map(|(x, y)| format!("{:.1},{:.1}", across.place(*x), up(*y)));
            push(&mut svg, format_args!("<path class=\"{class}\" d=\"M{}\"/>\n", path.collect::<Vec<_>>().join(" L")));
            for (x, y) in &series.points {
                push(
                    &mut svg,
                    format_args!(
                        "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                        across.place(*x),
                        up(*y)
                    ),
                );
            }
            if let Some((x, y)) = series.points.last() {
                text(&mut svg, (across.place(*x), up(*y) - 9.0), "end", &series.name);
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// A logarithmic axis.
#[derive(Debug)]
struct Axis {
    least: f64,
    most: f64,
    start: f64,
    end: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone, start: f64, end: f64) -> Self {
        let least = values.clone().fold(f64::MAX, f64::min).max(1e-9).log10().floor();
        let most = values.fold(1e-9, f64::max).log10().max(least + 0.1);
        Self { least, most, start, end }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.max(1e-9).log10() - self.least) / (self.most - self.least);
        (self.end - self.start).mul_add(share, self.start)
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        let (least, most) = (self.least, self.most);
        (0..12)
            .map(move |step| least + f64::from(step))
            .take_while(move |decade| *decade <= most)
            .map(|decade| 10_f64.powf(decade))
    }
}

fn head(height: f64, title: &str) -> String {
    head_of(WIDTH, height, title)
}

fn head_of(width: f64, height: f64, title: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{}</title>\n{STYLE}",
        escaped(title)
    );
    push(&mut svg, format_args!("<text class=\"title\" x=\"12\" y=\"22\">{}</text>\n", escaped(title)));
    svg
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    push(svg, format_args!("<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{}</text>\n", escaped(words)));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Appends formatted text; writing to a string cannot fail.
fn push(svg: &mut String, what: std::fmt::Arguments<'_>) {
    let written = svg.write_fmt(what);
    debug_assert!(written.is_ok(), "a string takes everything");
}

/// A number with two or three digits and a letter.
fn short(value: f64) -> String {
    let (number, unit) = match value {
        _ if value >= 1e6 => (value / 1e6, " M"),
        _ if value >= 1e3 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits =
        if number >= 100.0 || (number - number.round()).abs() < 1e-9 { 0 } else { 1 + usize::from(number < 10.0) };
    format!("{number:.digits$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greater_numbers_stand_further_along_and_text_is_escaped() {
        let bar = |name: &str, value| Bar { name: name.to_owned(), value, colour: "a" };
        let svg = bars("a < b", &[bar("one & only", 50_000.0), bar("two", 2_500_000.0)]);
        let places = svg.split("cx=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok());
        let places = places.collect::<Vec<_>>();
        assert!(places.len() == 2 && places[0] < places[1], "{places:?}");
        assert!(svg.contains("one &amp; only") && svg.contains("a &lt; b") && svg.contains("2.50 M"), "{svg}");
    }

    #[test]
    fn four_steps_of_a_round_number_reach_the_greatest() {
        for (most, expected) in
            [(9_939.0, 2_500.0), (4_000.0, 1_000.0), (4_001.0, 1_500.0), (0.9, 0.25), (39_000.0, 10_000.0)]
        {
            assert!((step(most) - expected).abs() < 1e-9, "{most}: {}", step(most));
        }
    }

    #[test]
    fn every_point_of_a_panel_is_drawn_in_it() {
        let series = Series { name: "all".to_owned(), points: vec![(14.0, 300.0), (86.0, 330.0), (1_086.0, 400.0)] };
        let svg = panels("cost", &[("rules".to_owned(), vec![series])]);
        assert_eq!(svg.matches("<circle").count(), 3);
        for place in svg.split("cx=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok()) {
            assert!((60.0..=PANEL).contains(&place), "{place}");
        }
    }
}
