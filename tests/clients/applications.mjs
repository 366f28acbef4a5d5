// The applications that are tested, by the line of Better Auth: kinds of ids, plugins, names, schemas.
// plugins: none; hosted: jwt, admin and organization, as hosted Neon Auth has; all: with teams, roles in tables and
// anonymous users. secret: whether the database knows Better Auth's secret.
const secure = { useSecureCookies: true };

export const APPLICATIONS = {
    '1.7': [
        { name: 'everything', ids: 'text', plugins: 'all', schema: 'shop', secret: true },
        { name: 'uuids', ids: 'uuid', plugins: 'all', schema: 'neon_auth', cookies: secure },
        { name: 'snake_case', ids: 'uuid', plugins: 'all', schema: 'public', tables: 'snake', secret: true },
        { name: 'renamed', ids: 'serial', plugins: 'all', schema: 'shop', tables: 'renamed' },
        { name: 'plain', ids: 'text', plugins: 'none', schema: 'public', secret: true },
    ],
    '1.4': [
        { name: 'hosted', ids: 'uuid', plugins: 'hosted', schema: 'neon_auth', cookies: { ...secure, cookiePrefix: 'neon-auth' } },
        { name: 'everything', ids: 'text', plugins: 'all', schema: 'shop', secret: true },
        { name: 'plain', ids: 'uuid', plugins: 'none', schema: 'shop', tables: 'snake', cookies: { cookiePrefix: 'shop' } },
    ],
};
