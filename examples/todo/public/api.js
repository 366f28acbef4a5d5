// Requests to the server: todos, and Better Auth's own endpoints.
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function request(method, path, data) {
  const answer = await fetch(`/api/${path}`, {
    method,
    headers: data === undefined ? {} : { 'content-type': 'application/json' },
    body: data === undefined ? undefined : JSON.stringify(data),
  });
  const text = await answer.text();
  const value = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new Refused(answer.status, value?.message ?? `The server answered ${answer.status}.`);
  return value;
}

const get = (path, query) => request('GET', query ? `${path}?${new URLSearchParams(query)}` : path);
const post = (path, data) => request('POST', path, data);

export const todos = {
  me: () => get('me'),
  list: () => get('todos'),
  add: (task, organizationId) => post('todos', { task, organizationId }),
  tick: (id, done) => request('PATCH', `todos/${id}`, { done }),
  remove: (id) => request('DELETE', `todos/${id}`),
};

export const auth = {
  session: () => get('auth/get-session'),
  signUp: (data) => post('auth/sign-up/email', data),
  signIn: (data) => post('auth/sign-in/email', data),
  signOut: () => post('auth/sign-out', {}),
};

export const organizations = {
  list: () => get('auth/organization/list'),
  whole: (organizationId) => get('auth/organization/get-full-organization', { organizationId }),
  create: (name) => post('auth/organization/create', { name, slug: `${name.toLowerCase().replace(/\W+/g, '-')}-${Date.now().toString(36)}` }),
  invite: (organizationId, email) => post('auth/organization/invite-member', { organizationId, email, role: 'member' }),
  invitation: (id) => get('auth/organization/get-invitation', { id }),
  accept: (invitationId) => post('auth/organization/accept-invitation', { invitationId }),
  reject: (invitationId) => post('auth/organization/reject-invitation', { invitationId }),
  setRole: (organizationId, memberId, role) => post('auth/organization/update-member-role', { organizationId, memberId, role }),
  remove: (organizationId, memberIdOrEmail) => post('auth/organization/remove-member', { organizationId, memberIdOrEmail }),
};

export const users = {
  list: async () => (await get('auth/admin/list-users', { limit: 100 })).users,
  ban: (userId) => post('auth/admin/ban-user', { userId }),
  unban: (userId) => post('auth/admin/unban-user', { userId }),
};
