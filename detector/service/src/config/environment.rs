//! `${NAME}` in values.

/// Replaces each `${NAME}` by what `environment` says; `$$` stands for one dollar sign.
///
/// # Errors
/// With one message for each name that is not set or not closed.
pub(super) fn expand(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, Vec<String>> {
    let mut expanded = String::with_capacity(text.len());
    let mut problems = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after_dollar) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after_dollar;
        } else if let Some(name_onwards) = after.strip_prefix('{') {
            let Some((name, after_name)) = name_onwards.split_once('}') else {
                problems.push("`${` without `}`; write `$$` for a dollar sign".to_owned());
                return Err(problems);
            };
            match environment(name) {
                Some(value) => expanded.push_str(&value),
                None => problems.push(format!("environment variable {name} is not set")),
            }
            rest = after_name;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded.push_str(rest);
    if problems.is_empty() { Ok(expanded) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn replaces_names() {
        let environment = |name: &str| (name == "HOME_DIR").then(|| "/home/x".to_owned());
        let check = |text: &str, expected: Result<&str, usize>| {
            let found = expand(text, &environment);
            assert_eq!(found.as_deref().map_err(Vec::len), expected, "{text}");
        };
        check("plain", Ok("plain"));
        check("${HOME_DIR}/a", Ok("/home/x/a"));
        check("a$$b$c", Ok("a$b$c"));
        check("$${HOME_DIR}", Ok("${HOME_DIR}"));
        check("${A}${B}", Err(2));
        check("${HOME_DIR", Err(1));
    }
}
