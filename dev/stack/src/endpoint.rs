//! The service's endpoints, as tests name them.

/// What a fault can be set for, and what can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    Jwks,
    /// Of all teams.
    Users,
    /// Users of one team.
    TeamUsers,
    User,
    Teams,
    Team,
    TeamMemberProfiles,
    TeamPermissions,
    ProjectPermissions,
    ConsoleKeys,
    ConsoleTransfer,
}
