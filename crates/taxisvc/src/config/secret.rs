//! What nobody is shown of the settings: secrets, and the passwords inside addresses.

/// Settings that are secret as a whole.
const SECRETS: [&str; 3] = ["kafka.sasl_password", "operator.token", "traces.headers"];
/// Settings whose value may have a password in it.
const ADDRESSES: [&str; 4] = ["postgres.call", "postgres.drive", "postgres.payment", "postgres.view"];
/// Stands where a password stood.
const HIDDEN: &str = "***";

pub(crate) fn is_secret(path: &str) -> bool {
    SECRETS.contains(&path)
}

pub(crate) fn is_address(path: &str) -> bool {
    ADDRESSES.contains(&path)
}

/// Every setting whose text must not be shown as it is.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    SECRETS.into_iter().chain(ADDRESSES)
}

/// An address without its password; all of what is no address.
pub(crate) fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return HIDDEN.to_owned() };
    // What is in front of the last `@` may hold a slash or a question mark that somebody forgot to encode.
    let (who, rest) = match rest.rsplit_once('@') {
        Some((who, rest)) => (Some(who), rest),
        None => (None, rest),
    };
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let place = match who.map(|who| who.split_once(':').ok_or(who)) {
        Some(Ok((user, _))) => format!("{user}:{HIDDEN}@{place}"),
        Some(Err(user)) => format!("{user}@{place}"),
        None => place.to_owned(),
    };
    if parameters.is_empty() {
        return format!("{scheme}://{place}");
    }
    let shown = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if name.to_lowercase().contains("password") => format!("{name}={HIDDEN}"),
        Some(_) | None => parameter.to_owned(),
    };
    let parameters: Vec<_> = parameters.split('&').map(shown).collect();
    format!("{scheme}://{place}?{}", parameters.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let check = |address: &str, shown: &str| assert_eq!(without_password(address), shown);
        check("postgres://taxisvc@127.0.0.1:5432/call", "postgres://taxisvc@127.0.0.1:5432/call");
        check("postgres://db/call", "postgres://db/call");
        check("postgres://u:hush@db:5432/call", "postgres://u:***@db:5432/call");
        check("postgres://u:hu/sh@db/call", "postgres://u:***@db/call");
        check("postgres://u:hu?sh@db/call", "postgres://u:***@db/call");
        check("postgres://u:hu?sh@db/call?password=hush", "postgres://u:***@db/call?password=***");
        check("postgres://u:hu@sh@db/call?sslmode=require", "postgres://u:***@db/call?sslmode=require");
        check("postgres://db/call?user=u&password=hush", "postgres://db/call?user=u&password=***");
        check("host=db password=hush", "***");
    }
}
