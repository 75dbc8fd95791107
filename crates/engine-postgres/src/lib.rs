//! A store on PostgreSQL: several writers of one database, each commit one transaction.
