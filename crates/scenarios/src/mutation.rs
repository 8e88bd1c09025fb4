/// A lie about what happened, told to a monitor to see whether it notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Every request is seen twice (I1).
    DoubleRequests,
    /// Answers are not seen, so that data goes without consent (I3) and comes from strangers (I4).
    UnseenAnswers,
    /// Every datagram is seen a thousand times as long as it is (I19).
    Shouting,
    /// Every pair that succeeds is seen to fail and to succeed again (I10).
    FlickeringPairs,
    /// Every role is seen to switch thrice (I9).
    SwitchingRoles,
    /// The agent is seen as closed from the start (I18).
    ClosedEarly,
    /// Application data is seen from an address that was never validated (I4).
    ForeignData,
    /// Every datagram is seen to go where it must not (I15).
    Leaking,
    /// A thousand pairs more are seen than there are (I2).
    ManyPairs,
    /// The peer's candidates are not seen in signaling (I13).
    UnseenSignals,
    /// The peer's checks are not seen (I12).
    UnseenChecks,
    /// Nominations are not seen (I8).
    UnseenNominations,
    /// Priorities are seen with a bit flipped (I16).
    WrongPriorities,
    /// A restart is seen to keep its credentials (I14).
    KeptCredentials,
    /// Every check is seen to come early (I17).
    HastyConsent,
    /// Forged messages are seen to be believed (I5).
    BelievedForgery,
    /// Every session that settles is seen as disconnected.
    FalseAlarms,
    /// No session is seen to end as the oracle says (I6).
    DeafOracle,
    /// What is local to one side is seen as remote (I7).
    CrossedViews,
    /// Every session is seen to end otherwise when its candidates come in another order (I21).
    DecisiveOrder,
    /// Every check is seen to be part of a burst (I20).
    Bursts,
    /// The second run of a session is given another seed (I22, T22).
    AnotherSeed,
    /// No CreatePermission or ChannelBind is seen to succeed (T1, T2).
    UnseenPermissions,
    /// Every relayed payload is seen with another byte in front (T3).
    AlteredRelaying,
    /// Every answer of the TURN server's is seen twice (T4).
    DoubledAnswers,
    /// What a stranger's request leaves behind is seen as another free port (T5).
    RememberedStrangers,
    /// What follows the integrity is seen to be believed (T6).
    BelievedTrailers,
    /// A forged request is seen to change something (T7).
    BelievedForgeries,
    /// Every lifetime is seen to be twice as long as it is (T8).
    LongLives,
    /// Every channel is seen with another number (T9).
    OtherChannels,
    /// Every allocation is seen to have the same relayed address (T10).
    SharedRelays,
    /// No user is seen to have a right to any allocation (T11).
    NoQuota,
    /// One free port more is seen than there is (T12).
    SurplusPorts,
    /// The answer to a repeated request is seen as another one (T13).
    FickleAnswers,
    /// No refusal of a peer is seen (T14).
    OpenPolicy,
    /// The end of an allocation is not seen by the server's sockets (T15).
    LingeringSockets,
    /// A refused CreatePermission is seen to have permitted something (T16).
    HalfPermissions,
    /// The server's deadline is seen as passed (T17).
    PassedDeadlines,
    /// No answer is seen (T18).
    Silence,
    /// Every frame of a stream is seen without its last byte (T19).
    TornFrames,
    /// Every answer is seen to tell the password (T20).
    ToldSecrets,
    /// A ticket is seen to be good twice (T21).
    SharedTickets,
}
