//! The two text forms that scrapers read: OpenMetrics 1.0, and that of Prometheus before it.

/// A text form of the exposition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' own, version 0.0.4, which tools read that know no other.
    Plain,
}

impl Form {
    /// The one that an `Accept` header asks for. Without one it is OpenMetrics, as ever.
    pub fn asked(accept: Option<&str>) -> Self {
        let plain = accept.is_some_and(|accept| {
            let kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or(kind).trim());
            let all: Vec<_> = kinds.collect();
            all.contains(&"text/plain") && !all.contains(&"application/openmetrics-text")
        });
        if plain { Self::Plain } else { Self::OpenMetrics }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// A text in this form, of one in OpenMetrics.
    pub(super) fn of(self, text: String) -> String {
        match self {
            Self::OpenMetrics => text,
            Self::Plain => plain(&text),
        }
    }
}

/// There the name of a family is that of its samples, `info` is a gauge, and nothing ends the text.
fn plain(text: &str) -> String {
    let kind = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("# TYPE ")?.strip_prefix(name));
        line.and_then(|rest| rest.strip_prefix(' ')).unwrap_or_default()
    };
    let mut out = String::with_capacity(text.len());
    for line in text.lines().filter(|line| *line != "# EOF") {
        let described = line.strip_prefix("# ").and_then(|rest| {
            let (word, rest) = rest.split_once(' ')?;
            let (name, rest) = rest.split_once(' ')?;
            Some((word, name, rest))
        });
        match described {
            Some((word, name, rest)) => {
                let (suffix, rest) = match (kind(name), word) {
                    ("counter", _) => ("_total", rest),
                    ("info", "TYPE") => ("_info", "gauge"),
                    ("info", _) => ("_info", rest),
                    _ => ("", rest),
                };
                out.push_str(&format!("# {word} {name}{suffix} {rest}"));
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_one_that_is_asked_for() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
        for (accept, form) in [
            (None, Form::OpenMetrics),
            (Some("*/*"), Form::OpenMetrics),
            (Some(prometheus), Form::OpenMetrics),
            (Some("text/plain"), Form::Plain),
            (Some("text/html, text/plain;version=0.0.4"), Form::Plain),
        ] {
            assert_eq!(Form::asked(accept), form, "{accept:?}");
        }
    }

    #[test]
    fn families_have_the_names_of_their_samples_in_the_plain_form() {
        let text = "# HELP a_b Some.\n# TYPE a_b counter\na_b_total 1\n# HELP a_b_c Other.\n\
                    # TYPE a_b_c gauge\na_b_c 2\n# HELP i That.\n# TYPE i info\ni_info{x=\"y\"} 1\n# EOF\n";
        let wanted = "# HELP a_b_total Some.\n# TYPE a_b_total counter\na_b_total 1\n# HELP a_b_c Other.\n\
                      # TYPE a_b_c gauge\na_b_c 2\n# HELP i_info That.\n# TYPE i_info gauge\n\
                      i_info{x=\"y\"} 1\n";
        assert_eq!(Form::Plain.of(text.into()), wanted);
    }
}
