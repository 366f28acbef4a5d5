// A real Better Auth server on a loopback port, in front of a database of its own.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { betterAuth } from 'better-auth';
import { toNodeHandler } from 'better-auth/node';
import { admin, anonymous, bearer, jwt, organization } from 'better-auth/plugins';
import { createAccessControl } from 'better-auth/plugins/access';
import { defaultRoles, defaultStatements } from 'better-auth/plugins/organization/access';
import { Kysely, PostgresDialect } from 'kysely';

/** The installed line of Better Auth, such as 1.7. */
export const LINE = JSON.parse(readFileSync(createRequire(import.meta.url).resolve('better-auth').replace(/dist.*/, 'package.json')))
    .version.split('.').slice(0, 2).join('.');
const { getMigrations } = await import(LINE === '1.4' ? 'better-auth/db' : 'better-auth/db/migration');
const { apiKey } = await import(LINE === '1.4' ? 'better-auth/plugins' : '@better-auth/api-key');

export const SECRET = 'a-secret-of-the-tests-only-0123456789-abcdefghij';
const ONE_HOUR = 3600;
// Better Auth's own hash is slow by design, and would take most of the time of the tests.
const sha256 = (password) => createHash('sha256').update(password).digest('hex');
const PASSWORDS = {
    hash: async (password) => sha256(password),
    verify: async ({ hash, password }) => hash === sha256(password),
};

function plugins(application, names, jwtOptions) {
    if (application.plugins === 'none') return [];
    const all = application.plugins === 'all';
    return [
        bearer(),
        jwt({ ...jwtOptions, jwks: { rotationInterval: ONE_HOUR, ...jwtOptions.jwks }, schema: names.schema('jwks') }),
        admin({ schema: names.schema('user', 'session') }),
        organization({
            schema: names.schema('session', 'organization', 'member', 'invitation', 'team', 'teamMember', 'organizationRole'),
            ...(all && {
                teams: { enabled: true },
                dynamicAccessControl: { enabled: true },
                ac: createAccessControl(defaultStatements),
                roles: defaultRoles,
            }),
        }),
        ...(all ? [anonymous({ schema: names.schema('user') }), apiKeys(names.schema('apikey'))] : []),
    ];
}

/** Keys of users, and since 1.5 with another configuration those of organizations. */
function apiKeys(schema) {
    const options = { rateLimit: { enabled: false }, enableSessionForAPIKeys: true };
    if (LINE === '1.4') return apiKey({ ...options, schema });
    return apiKey([
        { ...options, configId: 'default' },
        { ...options, configId: 'organizations', references: 'organization', enableSessionForAPIKeys: false },
    ], { schema });
}

/** The tables that add_better_auth reads, of an application's plugins. */
export function models(application) {
    const of = {
        none: [],
        hosted: ['jwks', 'organization', 'member'],
        all: ['jwks', 'apikey', 'organization', 'member', 'team', 'teamMember', 'organizationRole'],
    };
    return ['user', 'session', ...of[application.plugins]];
}

export class Server {
    /** `gate.signUp`: is called in the transaction of a sign-up, after the user's row was inserted. */
    gate = {};

    constructor(application, names, pool) {
        this.application = application;
        this.names = names;
        this.pool = pool;
    }

    async start() {
        let handler;
        this.http = createServer((request, response) => handler(request, response));
        await new Promise((resolve) => this.http.listen(0, '127.0.0.1', resolve));
        this.origin = `http://127.0.0.1:${this.http.address().port}`;
        await (await this.migrations()).runMigrations();
        handler = toNodeHandler(this.build());
    }

    /** What Better Auth's own migrations would do. */
    migrations() {
        return getMigrations(this.build().options);
    }

    async stop() {
        this.http.closeAllConnections();
        await new Promise((resolve) => this.http.close(resolve));
    }

    /** Better Auth on these tables; what `change` and `jwtOptions` say is different from the server's. */
    build(change = {}, jwtOptions = {}) {
        const { application, names } = this;
        return betterAuth({
            secret: SECRET,
            baseURL: this.origin,
            database: {
                db: new Kysely({ dialect: new PostgresDialect({ pool: this.pool }) }),
                type: 'postgres',
                transaction: true,
            },
            logger: { disabled: true },
            telemetry: { enabled: false },
            rateLimit: { enabled: false },
            emailAndPassword: { enabled: true, password: PASSWORDS },
            user: { ...names.of('user'), deleteUser: { enabled: true } },
            session: { ...names.of('session'), ...change.session },
            account: names.of('account'),
            verification: names.of('verification'),
            advanced: {
                ...(application.ids !== 'text' && { database: { generateId: application.ids } }),
                ...(application.cookies ?? {}),
            },
            databaseHooks: { account: { create: { before: async () => { await this.gate.signUp?.(); } } } },
            plugins: plugins(application, names, jwtOptions),
        });
    }
}
