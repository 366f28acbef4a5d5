// What a browser does: requests with cookies.
import { randomBytes } from 'node:crypto';

export class Browser {
    cookies = new Map();

    /** `send`: how a request is sent; by default over HTTP. */
    constructor(origin, send = fetch) {
        this.origin = origin;
        this.send = send;
    }

    /** The answer of Better Auth, which must have the expected status. */
    async call(method, path, body, { status = 200, headers = {} } = {}) {
        const response = await this.send(new Request(`${this.origin}/api/auth${path}`, {
            method,
            headers: {
                origin: this.origin,
                cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
                ...(body && { 'content-type': 'application/json' }),
                ...headers,
            },
            body: body && JSON.stringify(body),
        }));
        const text = await response.text();
        if (response.status !== status) throw new Error(`${method} ${path} returned ${response.status}, not ${status}: ${text}`);
        for (const cookie of response.headers.getSetCookie()) {
            const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
            if (/max-age=0/i.test(cookie)) this.cookies.delete(name);
            else this.cookies.set(name, value);
        }
        this.headers = response.headers;
        return text && JSON.parse(text);
    }

    get(path, options) { return this.call('GET', path, undefined, options); }
    post(path, body = {}, options) { return this.call('POST', path, body, options); }

    cookie(suffix) {
        const name = [...this.cookies.keys()].find((name) => name.endsWith(suffix));
        if (!name) throw new Error(`there is no cookie ${suffix}, only ${[...this.cookies.keys()]}`);
        return { name, value: this.cookies.get(name) };
    }

    /** The session's credentials in each form that Better Auth gives out. */
    session() {
        const encoded = this.cookie('session_token').value;
        const signed = decodeURIComponent(encoded);
        return { encoded, signed, bare: signed.slice(0, signed.lastIndexOf('.')) };
    }

    async jwt() { return (await this.get('/token')).token; }

    async signUp(name, options) {
        this.name = name;
        this.email = `${name.toLowerCase()}.${randomBytes(4).toString('hex')}@example.com`;
        const answer = await this.post('/sign-up/email', { name, email: this.email, password: PASSWORD }, options);
        this.id = answer?.user?.id === undefined ? undefined : String(answer.user.id);
        return this;
    }

    async signIn(email = this.email, options) {
        const answer = await this.post('/sign-in/email', { email, password: PASSWORD }, options);
        this.email = email;
        this.id = answer?.user?.id === undefined ? undefined : String(answer.user.id);
        return this;
    }
}

const PASSWORD = 'a-made-up-password';
