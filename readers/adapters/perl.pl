# Libraries of Perl: perl.pl MODULE PATH prints what the module reads of a feed.

use strict;
use warnings;
use JSON::PP;

my %modules = (
    'XML::Feed' => sub {
        require XML::Atom;
        no warnings 'once';
        $XML::Atom::ForceUnicode = 1;
        require XML::Feed;
        my $feed = XML::Feed->parse($_[0]) or die XML::Feed->errstr;
        return map {
            {
                id    => $_->id,
                title => $_->title,
                link  => $_->link,
                date  => $_->issued->strftime('%FT%T%z'),
                text  => $_->content->body // $_->summary->body,
                categories => [$_->category],
            }
        } $feed->entries;
    },
    'XML::FeedPP' => sub {
        require XML::FeedPP;
        return map {
            {
                id    => $_->guid,
                title => $_->title,
                link  => $_->link,
                date  => $_->pubDate,
                text  => $_->get('content:encoded') // $_->description,
            }
        } XML::FeedPP->new($_[0], -type => 'file', utf8_flag => 1)->get_item;
    },
);

my ($module, $path) = @ARGV;
print JSON::PP->new->utf8->encode([$modules{$module}->($path)]);
