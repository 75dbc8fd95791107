//! The bus over Apache Kafka: the relay tells a topic what a log holds, the consumer reads what others told.
