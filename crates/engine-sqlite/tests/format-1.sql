-- A file of format 1, as the first program left it: its tables word for word, and a few rows.
PRAGMA journal_mode = WAL;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE meta_service (name TEXT PRIMARY KEY, shards INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE meta_kind (service TEXT NOT NULL, code INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (service, code),
  UNIQUE (service, name)) STRICT, WITHOUT ROWID;
CREATE TABLE "order_shard" (shard INTEGER PRIMARY KEY, position INTEGER NOT NULL, batch INTEGER NOT NULL) STRICT;
CREATE TABLE "order_event" (place INTEGER PRIMARY KEY, kind INTEGER NOT NULL, id INTEGER NOT NULL, version INTEGER NOT
  NULL, type TEXT NOT NULL, schema INTEGER NOT NULL, published INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT
  NULL, cause TEXT NOT NULL, trace TEXT, body TEXT NOT NULL) STRICT;
CREATE TABLE "order_inbox" (shard INTEGER NOT NULL, partition INTEGER NOT NULL, log TEXT NOT NULL, service TEXT NOT
  NULL, source_shard INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (shard, partition, log, service,
  source_shard)) STRICT, WITHOUT ROWID;
CREATE TABLE "order_effect" (kind INTEGER NOT NULL, id INTEGER NOT NULL, sequence INTEGER NOT NULL, name TEXT NOT
  NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL, claimed_until INTEGER NOT NULL, PRIMARY KEY (kind, id,
  sequence)) STRICT, WITHOUT ROWID;
CREATE TABLE "order_idempotency" (number INTEGER PRIMARY KEY, route TEXT NOT NULL, key TEXT NOT NULL, fingerprint BLOB
  NOT NULL, kind INTEGER NOT NULL, id INTEGER NOT NULL, refusal TEXT, at INTEGER NOT NULL) STRICT;
CREATE TABLE "order_dead_letter" (number INTEGER PRIMARY KEY AUTOINCREMENT, shard INTEGER NOT NULL, entity_id INTEGER
  NOT NULL, parcel TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE TABLE "order_counter" (kind INTEGER NOT NULL, tag TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (kind,
  tag)) STRICT, WITHOUT ROWID;
CREATE TABLE "order_entity_order" (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, tag TEXT NOT NULL, timer TEXT,
  due INTEGER, effects_open TEXT NOT NULL, state TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX "order_event_by_entity" ON "order_event" (kind, id, version);
CREATE INDEX "order_effect_by_claim" ON "order_effect" (claimed_until);
CREATE INDEX "order_dead_letter_by_entity" ON "order_dead_letter" (shard, entity_id);
CREATE INDEX "order_entity_order_by_tag" ON "order_entity_order" (tag);
CREATE INDEX "order_entity_order_by_due" ON "order_entity_order" (due) WHERE due IS NOT NULL;
INSERT INTO meta VALUES ('format', '1'), ('log', '0000000000000007'), ('program', '1');
INSERT INTO meta_service VALUES ('order', 1);
INSERT INTO meta_kind VALUES ('order', 1, 'order');
INSERT INTO order_shard VALUES (0, 2, 5);
INSERT INTO order_event VALUES
  (1, 1, 4, 1, 'Said', 1, 1, 100, 'rider', 'request 1', NULL, '{}'),
  (2, 1, 4, 2, 'Changed', 1, 0, 200, 'system', 'timer deadline', NULL, '{}');
INSERT INTO order_entity_order VALUES (4, 2, 'open', 'deadline', 900, '[512]', '{"is":"open"}');
INSERT INTO order_inbox VALUES (0, 0, '0000000000000007', 'stock', 0, 3);
INSERT INTO order_effect VALUES (1, 4, 512, 'ask', '{}', 1, 300);
INSERT INTO order_idempotency VALUES (1, 'POST /orders', 'k', x'00000000000000000000000000000000', 1, 4, NULL, 100);
INSERT INTO order_dead_letter VALUES
  (1, 0, 4, '{"due":{"kind":"order","id":4,"timer":{"name":"deadline","due":900}}}', 'a panic: scrawl', 950),
  (3, 0, 4, '{"answer":{"kind":"order","id":4,"sequence":512,"name":"ask","body":"{}","outcome":"told"}}',
   'an earlier message of the same key waits', 960);
INSERT INTO order_counter VALUES (1, 'open', 1);
