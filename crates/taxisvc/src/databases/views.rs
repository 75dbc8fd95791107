//! What analysts read by SQL, as the store makes it: the same list in the store's own terms.

use engine_postgres::view::{Column, ColumnKind, Rows, View};
use wiring::analysis;

/// The views of the database in which these services lie.
pub(super) fn of(services: &[&'static str]) -> Vec<View> {
    let ours = analysis::VIEWS.iter().filter(|view| services.contains(&view.service));
    ours.map(view).collect()
}

fn view(view: &analysis::View) -> View {
    View {
        name: view.name,
        service: view.service,
        rows: match view.rows {
            analysis::Rows::Entities { kind, id } => Rows::Entities { kind, id },
            analysis::Rows::Events { id } => Rows::Events { id },
        },
        columns: view.columns.iter().map(column).collect(),
    }
}

fn column(column: &analysis::Column) -> Column {
    Column {
        name: column.name,
        path: column.path.to_vec(),
        kind: match column.kind {
            analysis::ColumnKind::Text => ColumnKind::Text,
            analysis::ColumnKind::Integer => ColumnKind::Integer,
            analysis::ColumnKind::Boolean => ColumnKind::Boolean,
            analysis::ColumnKind::Time => ColumnKind::Time,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wiring::Layout;

    #[test]
    fn every_view_lies_in_one_of_the_databases() {
        let groups = Layout::Apart.groups().into_iter();
        let made: Vec<&str> = groups.flat_map(|(_, services)| of(&services)).map(|view| view.name).collect();
        let mut wanted: Vec<&str> = analysis::VIEWS.iter().map(|view| view.name).collect();
        assert_eq!(made.len(), wanted.len());
        wanted.retain(|name| !made.contains(name));
        assert_eq!(wanted, [""; 0]);
    }
}
