//! The same figures in the older text format, for whoever does not ask for OpenMetrics.

/// There a counter's name ends in `_total` where it is described too, and units and the end are not told.
pub(super) fn of_prometheus(open_metrics: &str) -> String {
    let lines: Vec<&str> = open_metrics.lines().collect();
    let mut text = String::with_capacity(open_metrics.len());
    for (place, line) in lines.iter().enumerate() {
        if line.starts_with("# UNIT ") || *line == "# EOF" {
            continue;
        }
        let described = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE "));
        let described = described.and_then(|rest| rest.split_once(' '));
        let is_counter = |name: &str| {
            let kind = format!("# TYPE {name} counter");
            lines[place..].iter().take(2).any(|line| *line == kind)
        };
        match described {
            Some((name, rest)) if is_counter(name) => {
                text.push_str(&format!("{} {name}_total {rest}\n", &line[..6]));
            }
            Some(_) | None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_described_by_their_whole_name() {
        let open_metrics = "# HELP rides How many.\n# TYPE rides counter\nrides_total{of=\"x\"} 3\n\
             # HELP wait_seconds How long.\n# TYPE wait_seconds gauge\n# UNIT wait_seconds seconds\n\
             wait_seconds 1.5\n# EOF\n";
        let expected = "# HELP rides_total How many.\n# TYPE rides_total counter\nrides_total{of=\"x\"} 3\n\
             # HELP wait_seconds How long.\n# TYPE wait_seconds gauge\nwait_seconds 1.5\n";
        assert_eq!(of_prometheus(open_metrics), expected);
    }
}
