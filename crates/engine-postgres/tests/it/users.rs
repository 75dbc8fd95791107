//! Whoever is no superuser, on a database of a test's own.

use crate::database::OwnDatabase;

impl OwnDatabase {
    /// Somebody who is no superuser and may use the tables: an address for him, and what drops him again.
    pub(crate) fn plain_user(&self) -> (String, impl FnOnce() + use<>) {
        let role = self.name.clone();
        let mut client = self.client();
        let sql = format!(
            "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA engine TO {role}; \
             GRANT ALL ON ALL TABLES IN SCHEMA engine TO {role}; GRANT ALL ON ALL SEQUENCES IN SCHEMA engine TO {role}"
        );
        client.batch_execute(&sql).expect("a superuser may");
        let (host, port) = self.address();
        let url = format!("postgres://{role}@{host}:{port}/{role}");
        let drop_role = move || {
            let sql = format!("DROP OWNED BY {role}; DROP ROLE {role}");
            client.batch_execute(&sql).expect("a superuser may");
        };
        (url, drop_role)
    }

    /// For everybody but superusers.
    pub(crate) fn limit_connections(&self, limit: u32) {
        let sql = format!("ALTER DATABASE {} CONNECTION LIMIT {limit}", self.name);
        self.client().batch_execute(&sql).expect("a superuser may");
    }
}
