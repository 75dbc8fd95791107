//! Which paths go to which upstream: by whole segments, the longest prefix first.

use axum::Router;
use http::uri::Authority;

/// Paths and who answers them.
pub struct Route {
    /// The name under which it is counted and reported.
    pub name: &'static str,
    /// `/calls` stands for `/calls` and `/calls/…`, never for `/callsX`; `/` stands for everything.
    pub prefixes: &'static [&'static str],
    /// Who answers.
    pub upstream: Upstream,
}

/// Who answers a route.
pub enum Upstream {
    /// A service of this process, called without a connection.
    Local(Router),
    /// Replicas of one service, `host:port` each, spoken to in plain HTTP/1.1.
    Http(Vec<Authority>),
}

impl Route {
    /// A route that takes what no other takes.
    #[must_use]
    pub fn everything_else(name: &'static str, upstream: Upstream) -> Route {
        Route { name, prefixes: &["/"], upstream }
    }
}

/// The prefixes of all routes in the order in which they are tried.
pub(crate) struct Table {
    prefixes: Vec<(&'static str, usize)>,
}

impl Table {
    pub(crate) fn new(routes: &[Route]) -> Table {
        let mut prefixes: Vec<(&'static str, usize)> = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            prefixes.extend(route.prefixes.iter().map(|prefix| (*prefix, index)));
        }
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Table { prefixes }
    }

    /// The index of the route that takes this path.
    pub(crate) fn find(&self, path: &str) -> Option<usize> {
        self.prefixes.iter().find(|(prefix, _)| covers(prefix, path)).map(|(_, index)| *index)
    }
}

fn covers(prefix: &str, path: &str) -> bool {
    prefix == "/" || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_by_whole_segments_and_the_longest_prefix() {
        let route = |name, prefixes| Route { name, prefixes, upstream: Upstream::Local(Router::new()) };
        let routes = [
            route("call", &["/calls"]),
            route("payment", &["/payments", "/fares"]),
            route("archive", &["/calls/archive"]),
            Route::everything_else("page", Upstream::Local(Router::new())),
        ];
        let table = Table::new(&routes);
        for (path, expected) in [
            ("/calls", "call"),
            ("/calls/", "call"),
            ("/calls/1", "call"),
            ("/callsX", "page"),
            ("/Calls", "page"),
            ("//calls", "page"),
            ("/%63alls", "page"),
            ("/calls/archive", "archive"),
            ("/calls/archive/1", "archive"),
            ("/calls/archived", "call"),
            ("/fares", "payment"),
            ("/callpay", "page"),
            ("/", "page"),
            ("*", "page"),
        ] {
            let found = table.find(path).expect("everything has a route here");
            assert_eq!(routes[found].name, expected, "{path}");
        }
        assert_eq!(Table::new(&routes[..3]).find("/other"), None);
    }
}
