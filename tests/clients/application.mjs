// An application with Better Auth, whose database has the extension: what every test starts from.
import assert from 'node:assert/strict';
import { Browser } from './browser.mjs';
import { Database, transaction } from './database.mjs';
import { LINE, models, SECRET, Server } from './server.mjs';
import { Names } from './names.mjs';

// Rows of users, organizations and teams, as in the guide.
const TABLES = `
    CREATE TABLE public.todos (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        user_id text NOT NULL DEFAULT auth.user_id() REFERENCES neon_auth.users_sync (id),
        task text NOT NULL);
    ALTER TABLE public.todos ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON public.todos TO authenticated USING (user_id = auth.user_id());
    CREATE TABLE public.documents (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        team_id text NOT NULL,
        title text NOT NULL);
    ALTER TABLE public.documents ENABLE ROW LEVEL SECURITY;
    CREATE POLICY read ON public.documents FOR SELECT TO authenticated USING (team_id = ANY (auth.team_ids()));
    CREATE POLICY write ON public.documents FOR DELETE TO authenticated
        USING (team_id = ANY (auth.team_ids()) AND auth.has_permission('organization:update', team_id));
    GRANT SELECT, INSERT, UPDATE, DELETE ON public.todos, public.documents TO authenticated;
    GRANT USAGE ON SCHEMA public TO authenticated`;

export class Application {
    constructor(settings) {
        Object.assign(this, settings);
        this.names = new Names(settings.tables ?? 'default');
    }

    has(plugins) {
        return plugins === 'all' ? this.plugins === 'all' : this.plugins !== 'none';
    }

    async start() {
        this.database = new Database(`${this.name}_${LINE.replace('.', '')}`, this.schema);
        await this.database.create();
        this.server = new Server(this, this.names, this.database.owner);
        await this.server.start();
        await this.database.superuser.query(TABLES);
        const prefix = this.cookies?.cookiePrefix;
        if (prefix && prefix !== 'neon-auth') {
            await this.database.superuser.query(`ALTER DATABASE ${this.database.name} SET neon_auth.cookie_prefix = '${prefix}'`);
        }
        // Was here before the extension knew of the tables.
        this.early = await this.browser().signUp('Early');
        this.added = (await this.database.superuser.query(
            `SELECT * FROM neon_auth.add_better_auth($1, secret => $2, names => $3)`,
            [this.server.origin, this.secret ? SECRET : null, this.names.told(models(this))])).rows;
    }

    async stop() {
        await this.server?.stop();
        await this.database.end();
    }

    /** A browser; with changed options, its requests go to a Better Auth of those on the same tables. */
    browser(change, jwtOptions) {
        if (!change && !jwtOptions) return new Browser(this.server.origin);
        const auth = this.server.build(change, jwtOptions);
        return new Browser(this.server.origin, (request) => auth.handler(request));
    }

    signUp(name) { return this.browser().signUp(name); }

    /** A statement of the application on Better Auth's tables, with {model} and {model.column} in it. */
    async sql(statement, values) {
        return (await this.database.owner.query(this.names.in(statement), values)).rows;
    }

    /** The user's row of the mirror. */
    user(id) {
        return this.database.row('SELECT * FROM neon_auth.users_sync WHERE id = $1', [id]);
    }

    /** A request of the application: one transaction with a credential, under row-level security. */
    request(credential, work) {
        return transaction(this.database.client, async (client) => {
            await client.query('SET LOCAL ROLE authenticated');
            await client.query('SELECT auth.authenticate($1)', [credential]);
            return await work(async (expression, values) => {
                const { rows } = await client.query(`SELECT (SELECT ${expression}) AS value`, values);
                return rows[0].value;
            }, client);
        });
    }

    /** An expression as the credential's user sees it. */
    read(credential, expression, values) {
        return this.request(credential, (value) => value(expression, values));
    }

    /** That the credential signs this user in. */
    async accepts(credential, id) {
        assert.equal(await this.read(credential, 'auth.user_id()'), id);
    }

    /** That the credential is refused, and that the error does not tell it. */
    async refuses(credential, message) {
        await assert.rejects(this.read(credential, 'auth.user_id()'), (error) => {
            assert.equal(error.code, '28000', error.message);
            if (message) assert.match(`${error.message} ${error.detail}`, message);
            const told = JSON.stringify([error.message, error.detail, error.hint, error.where]);
            assert.ok(credential.length < 20 || !told.includes(credential.slice(0, 20)), told);
            return true;
        });
    }
}
