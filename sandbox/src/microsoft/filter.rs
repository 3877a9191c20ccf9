//! The `$filter` expressions the directory understands here.

/// One comparison; several are joined by `or`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Test {
    Id(String),
    Mail(String),
    UserPrincipalName(String),
    ProxyAddress(String),
    DisplayName(String),
}

/// Reads comparisons joined by `or`; `None` for anything else.
pub(super) fn parse(text: &str) -> Option<Vec<Test>> {
    let mut rest = text.trim();
    let mut tests = Vec::new();
    loop {
        let (found, after) = comparison(rest)?;
        tests.push(found);
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(tests);
        }
        rest = rest.strip_prefix("or ")?.trim_start();
    }
}

fn comparison(text: &str) -> Option<(Test, &str)> {
    if let Some(lambda) = text.strip_prefix("proxyAddresses/any(") {
        let (variable, rest) = lambda.split_once(':')?;
        let rest = rest.trim_start().strip_prefix(variable.trim())?;
        let (value, rest) = equals_literal(rest)?;
        return Some((
            Test::ProxyAddress(value),
            rest.trim_start().strip_prefix(')')?,
        ));
    }
    let (property, rest) = text.split_once(' ')?;
    let (value, after) = equals_literal(rest)?;
    let comparison = match property {
        "id" => Test::Id(value),
        "mail" => Test::Mail(value),
        "userPrincipalName" => Test::UserPrincipalName(value),
        "displayName" => Test::DisplayName(value),
        _ => return None,
    };
    Some((comparison, after))
}

/// ` eq 'it''s'` and what follows.
fn equals_literal(text: &str) -> Option<(String, &str)> {
    let mut rest = text
        .trim_start()
        .strip_prefix("eq ")?
        .trim_start()
        .strip_prefix('\'')?;
    let mut value = String::new();
    loop {
        let (part, after) = rest.split_once('\'')?;
        value.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Some((value, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_joined_by_or() {
        assert_eq!(
            parse("mail eq 'a@b.c' or proxyAddresses/any(p:p eq 'smtp:a@b.c') or id eq 'x'"),
            Some(vec![
                Test::Mail("a@b.c".into()),
                Test::ProxyAddress("smtp:a@b.c".into()),
                Test::Id("x".into()),
            ])
        );
    }

    #[test]
    fn a_doubled_quote_is_a_quote() {
        assert_eq!(
            parse("userPrincipalName eq 'o''brien@b.c'"),
            Some(vec![Test::UserPrincipalName("o'brien@b.c".into())])
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "mail",
            "mail eq a",
            "mail eq 'a",
            "mail ne 'a'",
            "phone eq 'a'",
            "mail eq 'a' and id eq 'b'",
            "mail eq 'o'brien'",
            "proxyAddresses/any(p:q eq 'a')",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
