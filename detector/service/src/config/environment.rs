//! `${NAME}` in values.

/// What `${NAME}` stands for, or why it stands for nothing.
pub(super) type Names<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// The names that an environment knows.
pub(super) fn of_environment(
    environment: &dyn Fn(&str) -> Option<String>,
) -> impl Fn(&str) -> Result<String, String> + '_ {
    |name| environment(name).ok_or_else(|| format!("environment variable {name} is not set"))
}

/// The names in a text.
pub(super) fn names(text: &str) -> Vec<String> {
    let found = std::cell::RefCell::new(Vec::new());
    let note = |name: &str| {
        found.borrow_mut().push(name.to_owned());
        Ok(String::new())
    };
    // What is wrong with the text is reported where it is expanded.
    drop(expand(text, &note));
    found.into_inner()
}

/// Replaces each `${NAME}` by what `names` says; `$$` stands for one dollar sign.
///
/// # Errors
/// With one message for each name that is not set or not closed.
pub(super) fn expand(text: &str, names: &Names<'_>) -> Result<String, Vec<String>> {
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
            match names(name) {
                Ok(value) => expanded.push_str(&value),
                Err(problem) => problems.push(problem),
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
    use super::{expand, names, of_environment};

    #[test]
    fn replaces_names() {
        let environment = |name: &str| (name == "HOME_DIR").then(|| "/home/x".to_owned());
        let check = |text: &str, expected: Result<&str, usize>| {
            let found = expand(text, &of_environment(&environment));
            assert_eq!(found.as_deref().map_err(Vec::len), expected, "{text}");
        };
        check("plain", Ok("plain"));
        check("${HOME_DIR}/a", Ok("/home/x/a"));
        check("a$$b$c", Ok("a$b$c"));
        check("$${HOME_DIR}", Ok("${HOME_DIR}"));
        check("${A}${B}", Err(2));
        check("${HOME_DIR", Err(1));
    }

    #[test]
    fn finds_names() {
        assert_eq!(names("a ${B}$$${c:d#e} ${F"), ["B", "c:d#e"]);
    }
}
