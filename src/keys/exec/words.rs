//! A command as one text: words at blanks, quotes that keep blanks, and nothing that a shell would
//! do beyond that. `$`, `~`, `*`, `|` and `;` are characters like others.

/// The words of a text. Inside `'…'` everything is itself; inside `"…"` everything but `\"` and `\\`.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match next {
            blank if blank.is_ascii_whitespace() => words.extend(word.take()),
            quote @ ('\'' | '"') => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next().ok_or("has a quotation mark that is not closed")? {
                        end if end == quote => break,
                        '\\' if quote == '"' && rest.as_str().starts_with(['"', '\\']) => {
                            word.extend(rest.next());
                        }
                        inside => word.push(inside),
                    }
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    match words.iter().any(|word| word.contains('\0')) {
        true => Err("has a zero byte"),
        false => Ok(words),
    }
}

/// The text whose words these are.
pub(crate) fn join(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"")
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_split_at_blanks_and_nothing_is_expanded() {
        for (text, expected) in [
            ("op read op://a/b", &["op", "read", "op://a/b"][..]),
            ("  a\t b\n", &["a", "b"]),
            ("a 'b c' \"d e\"f", &["a", "b c", "d ef"]),
            (r#""a\"b\\c\d" '\"'"#, &[r#"a"b\c\d"#, r#"\""#]),
            ("a '' \"\"", &["a", "", ""]),
            ("$HOME ~ *.pem a;b|c `d` \\n", &["$HOME", "~", "*.pem", "a;b|c", "`d`", "\\n"]),
            ("", &[]),
        ] {
            assert_eq!(split(text).unwrap(), expected, "{text}");
        }
        for text in ["a 'b", "\"", "'a\"", "\"a\\\""] {
            assert!(split(text).unwrap_err().contains("not closed"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_joined_is_split_again(words in prop::collection::vec("[^\0]*", 0..5)) {
            prop_assert_eq!(split(&join(&words)).unwrap(), words);
        }
    }
}
