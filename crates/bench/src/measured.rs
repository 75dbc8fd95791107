//! What was measured: a value with its unit and how it was taken, told as a line or as a row of a table.

/// One value of one run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) how: String,
}

impl Measured {
    pub(crate) fn new(
        name: impl Into<String>,
        (value, unit): (f64, &'static str),
        how: impl Into<String>,
    ) -> Self {
        Self { name: name.into(), value, unit, how: how.into() }
    }

    pub(crate) fn line(&self) -> String {
        format!("{}: {} {} ({})", self.name, written(self.value), self.unit, self.how)
    }
}

/// The table of several runs, in the order in which its rows were first measured.
pub(crate) fn table(all: &[Measured]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for measured in all {
        if !names.contains(&measured.name.as_str()) {
            names.push(&measured.name);
        }
    }
    let mut text = String::from(
        "| figure | unit | min | median | max | runs | how |\n|---|---|---:|---:|---:|---:|---|\n",
    );
    for name in names {
        let runs: Vec<&Measured> = all.iter().filter(|measured| measured.name == name).collect();
        let mut values: Vec<f64> = runs.iter().map(|measured| measured.value).collect();
        let (Some(last), Some(median)) = (runs.last(), median(&mut values)) else { continue };
        let (min, max) = (values[0], values[values.len() - 1]);
        text.push_str(&format!(
            "| {name} | {} | {} | {} | {} | {} | {} |\n",
            last.unit,
            written(min),
            written(median),
            written(max),
            values.len(),
            last.how
        ));
    }
    text
}

/// The middle value; the values are sorted on the way.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The value below which so many of a hundred lie, of sorted values.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

/// With three figures that say something, and a comma between thousands.
fn written(value: f64) -> String {
    if value.abs() < 10.0 {
        return format!("{value:.2}");
    }
    if value.abs() < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_one_row_for_all_runs_of_a_figure() {
        let run = |value: f64| Measured::new("posts", (value, "calls/s"), "64 connections");
        let text = table(&[run(1234567.0), run(20.04), run(0.5)]);
        let row = text.lines().last().unwrap();
        assert_eq!(row, "| posts | calls/s | 0.50 | 20.0 | 1,234,567 | 3 | 64 connections |");
    }
}
