// Better Auth: sign-up with e-mail and password, organizations, and bans (the plugin admin). Its tables belong to
// the role better_auth, in a schema of their own: requests of the application run as another role (db.js).
import { betterAuth } from 'better-auth';
import { admin, organization } from 'better-auth/plugins';
import pg from 'pg';

export const port = Number(process.env.PORT || 3000);
export const baseURL = `http://127.0.0.1:${port}`;
export const database = new pg.Pool({ user: 'better_auth', options: '-c search_path=better_auth' });

export const auth = betterAuth({
  baseURL,
  trustedOrigins: [baseURL, `http://localhost:${port}`],
  secret: process.env.BETTER_AUTH_SECRET,
  database,
  emailAndPassword: { enabled: true },
  plugins: [organization(), admin()],
  telemetry: { enabled: false },
  databaseHooks: {
    user: {
      create: {
        // So that somebody can ban users: the first user administers this example.
        before: async (user) => {
          const { rows } = await database.query('SELECT NOT EXISTS (SELECT FROM "user") AS first');
          return { data: { ...user, role: rows[0].first ? 'admin' : 'user' } };
        },
      },
    },
  },
});

// The cookie with the session token: better-auth.session_token, with https __Secure-better-auth.session_token.
export const sessionCookie = (await auth.$context).authCookies.sessionToken.name;
