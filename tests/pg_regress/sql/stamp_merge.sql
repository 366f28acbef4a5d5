-- auth.stamp() with MERGE, which PostgreSQL has from 15 on.
SELECT current_setting('server_version_num')::int < 150000 AS without_merge \gset
\if :without_merge
\quit
\endif
CREATE SCHEMA stamped;
SET search_path = stamped;
CREATE TABLE notes (id int, region text, created_by text, updated_by text) PARTITION BY LIST (region);
CREATE TABLE notes_a PARTITION OF notes FOR VALUES IN ('a');
CREATE TABLE notes_b PARTITION OF notes FOR VALUES IN ('b');
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION auth.stamp();
SELECT auth.impersonate('alice', is_local => false);
INSERT INTO notes VALUES (1, 'a'), (2, 'a');
SELECT auth.impersonate('bob', is_local => false);
-- One row is moved, one changed, and one inserted, each with what a client would like to have written.
MERGE INTO notes n USING (VALUES (1, 'b'), (2, 'a'), (3, 'b')) AS s(id, region) ON n.id = s.id
    WHEN MATCHED THEN UPDATE SET region = s.region, created_by = 'eve', updated_by = 'eve'
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.region, 'alice', 'alice');
SELECT tableoid::regclass AS partition, id, created_by, updated_by FROM notes ORDER BY id;
SELECT auth.logout();
SET client_min_messages = error;
DROP SCHEMA stamped CASCADE;
