//! View: a bar and a table on a terminal, plain lines elsewhere, nothing where it is to be quiet.
//! All of it goes to stderr: stdout is the report's.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

use crate::notice::LastSecond;
use crate::watch::Sample;

/// Where progress is shown.
pub struct View {
    screen: Screen,
    rows: usize,
}

enum Screen {
    Nothing,
    Lines,
    Bar(ProgressBar),
}

/// A line of the table.
pub struct Row<'a> {
    pub sample: &'a Sample,
    pub heard: Option<&'a LastSecond>,
}

impl View {
    pub fn new(quiet: bool) -> Self {
        let screen = match (quiet, stderr().is_terminal()) {
            (true, _) => Screen::Nothing,
            (false, true) => Screen::Bar(ProgressBar::no_length()),
            (false, false) => Screen::Lines,
        };
        Self { screen, rows: 0 }
    }

    /// Begins something that has `steps` steps.
    pub fn begin(&mut self, what: &str, steps: usize) {
        match &self.screen {
            Screen::Nothing => {}
            Screen::Lines => eprintln!("{what} ({steps})"),
            Screen::Bar(bar) => {
                // The template is a constant of ours; without it the bar has its default look.
                if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                    bar.set_style(style.progress_chars("=> "));
                }
                bar.set_message(what.to_owned());
                bar.set_position(0);
                bar.set_length(steps as u64);
            }
        }
    }

    pub fn advance(&self, to: usize) {
        if let Screen::Bar(bar) = &self.screen {
            bar.set_position(to as u64);
        }
    }

    pub fn row(&mut self, row: &Row<'_>) {
        if self.rows.is_multiple_of(ROWS_A_HEADING) {
            self.line(HEADING);
        }
        self.rows += 1;
        self.line(&row.text());
    }

    pub fn line(&self, text: &str) {
        match &self.screen {
            Screen::Nothing => {}
            Screen::Lines => eprintln!("{text}"),
            Screen::Bar(bar) => bar.println(text),
        }
    }

    pub fn end(&self) {
        if let Screen::Bar(bar) = &self.screen {
            bar.finish_and_clear();
        }
    }
}

impl Row<'_> {
    fn text(&self) -> String {
        let Sample { at_s, joined, server_cpu_percent, server_kib, .. } = self.sample;
        let generator_cpu_percent = self.sample.generator_cpu_percent;
        let known = |figure: Option<String>| figure.unwrap_or_else(|| "-".to_owned());
        format!(
            "{at_s:7.0} {joined:7} {:>9} {:>7} {:>8} {:>8} {generator_cpu_percent:8.0} {:>8}",
            known(self.heard.map(|heard| heard.heard.to_string())),
            known(self.heard.map(|heard| format!("{:.2}", heard.lost_percent))),
            known(self.heard.map(|heard| format!("{:.2}", heard.latency.p99_ms))),
            known(server_cpu_percent.map(|percent| format!("{percent:.0}"))),
            known(server_kib.map(|kib| format!("{:.1}", kib as f64 / 1024.0))),
        )
    }
}

const HEADING: &str = "      s  joined   heard/s  lost %   p99 ms  server%  loader%      MiB";

/// A screen of rows has at least one heading.
const ROWS_A_HEADING: usize = 20;

const TEMPLATE: &str = "{msg} [{bar:30}] {pos}/{len} {elapsed}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_fits_its_heading_whatever_is_known() {
        let sample = Sample { at_s: 7.0, joined: 12, ..Sample::default() };
        let heard = LastSecond { heard: 9, lost_percent: 0.5, latency: Default::default() };
        for heard in [None, Some(&heard)] {
            assert_eq!(Row { sample: &sample, heard }.text().len(), HEADING.len());
        }
    }
}
