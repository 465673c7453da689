# Initial data of the Request Tracker that lab/rt starts: Perl that rt-setup-database-5 evaluates. 60 queues, one for
# each customer, with a quote in their names on purpose; a user jitney who may work in all of them, and one called
# narrow who sees the first only; a custom field of transactions for the keys of notes, and one of tickets that names
# the customer.
use strict; use warnings;

my @rights = qw(SeeQueue ShowTicket ShowTicketComments CommentOnTicket SeeCustomField ModifyCustomField);

our @Users = map { { Name => $_, RealName => ucfirst $_, EmailAddress => "$_\@lab.invalid", Privileged => 1 } } qw(jitney narrow tess);
our @Queues = map { { Name => sprintf("Customer %02d O'Brien & Sons", $_), Description => 'a customer' } } 1 .. 60;
our @CustomFields = (
    { Name => 'JitneyKey', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket-RT::Transaction', Description => 'names a note of jitney' },
    { Name => 'Customer', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket', Description => 'whose ticket it is' },
);
our @ACL = (
    ( map { { UserId => 'jitney', Right => $_ } } @rights ),
    ( map { { UserId => 'narrow', Queue => "Customer 01 O'Brien & Sons", Right => $_ } } @rights ),
    ( map { { UserId => $_, Right => 'ManageAuthTokens' } } qw(jitney narrow) ),
);
our @Final = ( sub {
    for my $name (qw(JitneyKey Customer)) {
        my $cf = RT::CustomField->new(RT->SystemUser);
        $cf->LoadByCols(Name => $name);
        my ($ok, $msg) = $cf->AddToObject(RT::Queue->new(RT->SystemUser)); # to all
        die "field $name: $msg" unless $ok;
    }
    open my $fh, '>', $ENV{LAB_RT_TOKENS} or die $!;
    for my $name (qw(jitney narrow root)) {
        my $user = RT::User->new(RT->SystemUser);
        $user->Load($name);
        my ($ok, $msg, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->id, Description => 'lab');
        die "token: $msg" unless $ok;
        print $fh "RT_" . uc($name) . "=$token\n";
    }
    close $fh;
} );
1;
