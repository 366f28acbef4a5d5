-- Advice about what passes policies by: roles, owners, views and functions.
BEGIN;
CREATE SCHEMA advised;
GRANT USAGE ON SCHEMA advised TO PUBLIC;
SET LOCAL search_path = advised;
CREATE ROLE advised_owner NOLOGIN;
CREATE ROLE advised_bypass NOLOGIN BYPASSRLS;
CREATE ROLE advised_login LOGIN;
CREATE ROLE advised_migrations LOGIN;
GRANT authenticated TO advised_login;
CREATE TABLE notes (id int PRIMARY KEY, user_id text NOT NULL);
CREATE INDEX ON notes (user_id);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes USING (user_id = auth.user_id());
CREATE TABLE hidden (LIKE notes);
CREATE INDEX ON hidden (user_id);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON notes TO authenticated;
CREATE TABLE plain (id int);

-- Owners: one that the application's login can act as; not one that it cannot, nor with FORCE.
CREATE TABLE owned (LIKE notes);
CREATE TABLE owned_forced (LIKE notes);
CREATE TABLE owned_by_others (LIKE notes);
ALTER TABLE owned OWNER TO advised_owner;
ALTER TABLE owned_forced OWNER TO advised_owner;
ALTER TABLE owned_by_others OWNER TO advised_migrations;
ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
ALTER TABLE owned_forced ENABLE ROW LEVEL SECURITY;
ALTER TABLE owned_forced FORCE ROW LEVEL SECURITY;
ALTER TABLE owned_by_others ENABLE ROW LEVEL SECURITY;
GRANT advised_owner TO advised_login;
-- Roles: BYPASSRLS that the login can reach; not a role that nobody of the application can become.
CREATE ROLE advised_between NOLOGIN;
GRANT advised_bypass TO advised_between;
GRANT advised_between TO advised_login;
CREATE ROLE advised_free NOLOGIN BYPASSRLS;
CREATE ROLE advised_direct LOGIN BYPASSRLS;
GRANT anonymous TO advised_direct;

-- Views
CREATE VIEW of_notes AS SELECT * FROM notes;
CREATE VIEW of_hidden AS SELECT id FROM hidden;
CREATE VIEW of_of_notes AS SELECT * FROM of_notes;
CREATE MATERIALIZED VIEW copy_of_notes AS SELECT * FROM notes;
GRANT SELECT ON of_hidden, of_of_notes, copy_of_notes TO authenticated;
-- Alike: not granted; of a table without policies; with the signed-in user in it; of an owner whom policies bind.
CREATE VIEW not_granted AS SELECT * FROM notes;
CREATE VIEW of_plain AS SELECT * FROM plain;
CREATE VIEW mine AS SELECT * FROM notes WHERE user_id = auth.user_id();
CREATE ROLE advised_bound NOLOGIN;
GRANT SELECT ON notes TO advised_bound;
CREATE VIEW of_bound AS SELECT * FROM notes;
GRANT USAGE, CREATE ON SCHEMA advised TO advised_bound;
ALTER VIEW of_bound OWNER TO advised_bound;
GRANT SELECT ON of_plain, mine, of_bound TO authenticated;

-- Functions
CREATE FUNCTION definer() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = advised, pg_temp AS 'SELECT count(*) FROM notes';
CREATE FUNCTION unpinned() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN (SELECT count(*) FROM notes); END';
CREATE PROCEDURE "Odd name"("a b" int) LANGUAGE plpgsql SECURITY DEFINER SET search_path = advised, pg_temp AS 'BEGIN END';
CREATE FUNCTION temp_first() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, "Odd, pg_temp", advised AS 'BEGIN RETURN (SELECT count(*) FROM notes); END';
CREATE FUNCTION temp_between() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_temp, "a=b", advised, pg_temp AS 'BEGIN RETURN (SELECT count(*) FROM notes); END';
CREATE FUNCTION user_schema() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = "$user", advised AS 'BEGIN RETURN (SELECT count(*) FROM notes); END';
-- Alike: a path in which no table is found but by its schema; an SQL body.
CREATE FUNCTION path_empty() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS 'BEGIN RETURN (SELECT count(*) FROM advised.notes); END';
CREATE FUNCTION path_of_postgres() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS 'BEGIN RETURN (SELECT count(*) FROM advised.notes); END';
CREATE FUNCTION path_quoted() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = advised, "pg_temp" AS 'BEGIN RETURN (SELECT count(*) FROM notes); END';
CREATE FUNCTION parsed() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = advised RETURN (SELECT count(*) FROM notes);
-- Alike: of the caller; a trigger; in a policy; not granted; of an owner whom policies bind.
CREATE FUNCTION invoker() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM advised.notes';
CREATE FUNCTION trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN new; END';
CREATE FUNCTION in_policy(text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = advised, pg_temp AS 'SELECT true';
CREATE POLICY p ON notes FOR SELECT USING (user_id = auth.user_id() AND in_policy(user_id));
CREATE FUNCTION not_granted() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM advised.notes';
REVOKE ALL ON FUNCTION not_granted() FROM PUBLIC;
CREATE FUNCTION of_bound() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = advised, pg_temp AS 'SELECT count(*) FROM notes';
ALTER FUNCTION of_bound() OWNER TO advised_bound;

\pset format unaligned
SELECT severity, code, object, problem FROM neon_auth.advice WHERE object ~ '\madvised[._]';
-- Since PostgreSQL 15 a view can have the rights of its reader.
SELECT code, object, CASE WHEN code = 'view_bypasses_policies' THEN '' ELSE remedy END AS remedy, outcome
  FROM public.follow_advice('%advised%');
SELECT severity, code, object, problem FROM neon_auth.advice WHERE object ~ '\madvised[._]';
ROLLBACK;

-- A temporary table is found before another one, unless pg_temp is last; so is none if nobody can make one.
BEGIN;
CREATE TABLE public.advised_notes AS SELECT 'of everybody' AS note;
ALTER TABLE public.advised_notes ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION public.advised_read() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS 'BEGIN RETURN (SELECT note FROM advised_notes); END';
SELECT code FROM neon_auth.advice WHERE object ~ 'advised_read' AND code = 'definer_search_path';
CREATE TEMP TABLE advised_notes AS SELECT 'of the caller' AS note;
SELECT public.advised_read();
SELECT code, remedy, outcome FROM public.follow_advice('%advised_read%') WHERE code = 'definer_search_path';
SELECT public.advised_read();
ALTER FUNCTION public.advised_read SET search_path = public;
SELECT format('REVOKE TEMP ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT code FROM neon_auth.advice WHERE object ~ 'advised_read' AND code = 'definer_search_path';
ROLLBACK;
