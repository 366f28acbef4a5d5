// An application's database: Better Auth's tables belong to a role without any other right.
import pg from 'pg';

pg.types.setTypeParser(pg.types.builtins.INT8, Number);

/** A connection pool; dev/cluster names the server in the environment. */
export const connect = (options) => new pg.Pool({ max: 40, idleTimeoutMillis: 500, ...options });

/** Runs a function in a transaction; `begin` is its first statement. */
export async function transaction(pool, work, begin = 'BEGIN') {
    const client = await pool.connect();
    try {
        await client.query(begin);
        const result = await work(client);
        await client.query('COMMIT');
        return result;
    } catch (error) {
        await client.query('ROLLBACK');
        throw error;
    } finally {
        client.release();
    }
}

export class Database {
    /** `name`: of the database and of the role that owns Better Auth's tables. */
    constructor(name, schema) {
        this.name = name;
        this.schema = schema;
    }

    /** The database, the owner's schema and the extension, which moves into a schema neon_auth that exists. */
    async create() {
        const { name, schema } = this;
        const server = connect({ max: 1 });
        await server.query(`CREATE ROLE ${name} LOGIN`);
        await server.query(`CREATE DATABASE ${name}`);
        await server.end();
        this.superuser = connect({ database: name });
        await this.superuser.query(schema === 'public'
            ? `ALTER SCHEMA public OWNER TO ${name}`
            : `CREATE SCHEMA ${schema} AUTHORIZATION ${name}`);
        await this.superuser.query(`ALTER ROLE ${name} IN DATABASE ${name} SET search_path = ${schema}`);
        await this.superuser.query('CREATE EXTENSION neon_auth');
        this.owner = connect({ database: name, user: name });
        this.client = connect({ database: name, user: 'client' });
    }

    async end() {
        await Promise.all([this.owner, this.client, this.superuser].map((pool) => pool?.end()));
    }

    /** The only row of a query by the superuser. */
    async row(statement, values) {
        const { rows } = await this.superuser.query(statement, values);
        if (rows.length > 1) throw new Error(`${rows.length} rows instead of one: ${statement}`);
        return rows[0];
    }

    async value(statement, values) {
        return Object.values(await this.row(statement, values) ?? {})[0];
    }
}
