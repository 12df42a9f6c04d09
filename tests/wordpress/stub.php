<?php
/**
 * The functions of WordPress that the plugin calls, for a run without WordPress.
 *
 * Standard input has the address of the service, a token, the blog's posts and terms, and the action that WordPress
 * would do. The actions of WP-Cron follow at once.
 */

define( 'ABSPATH', __DIR__ );
define( 'MINUTE_IN_SECONDS', 60 );

$input = json_decode( stream_get_contents( STDIN ) );
define( 'FEEDSVC_URL', $input->url );
define( 'FEEDSVC_TOKEN', $input->token );

class WP_Error {
	public $message;

	public function __construct( $message ) {
		$this->message = $message;
	}

	public function get_error_message() {
		return $this->message;
	}
}

function is_wp_error( $thing ) {
	return $thing instanceof WP_Error;
}

$actions = array();

function add_action( $hook, $callback, $priority = 10, $accepted_args = 1 ) {
	$GLOBALS['actions'][ $hook ][] = array( $callback, $accepted_args );
}

function do_action( $hook, ...$arguments ) {
	foreach ( $GLOBALS['actions'][ $hook ] ?? array() as list( $callback, $accepted_args ) ) {
		$callback( ...array_slice( $arguments, 0, $accepted_args ) );
	}
}

$events = array();

function wp_schedule_single_event( $timestamp, $hook, $args = array() ) {
	$GLOBALS['events'][] = array( $timestamp, $hook, $args );
}

function spawn_cron() {
	foreach ( $GLOBALS['events'] as list( $timestamp, $hook, $args ) ) {
		if ( $timestamp <= time() ) {
			do_action( $hook, ...$args );
		}
	}
}

function wp_remote_request( $url, $args ) {
	$lines = array();
	foreach ( $args['headers'] as $name => $value ) {
		$lines[] = "$name: $value";
	}
	$options = array(
		'method'          => $args['method'],
		'header'          => $lines,
		'content'         => (string) $args['body'],
		'timeout'         => $args['timeout'],
		'follow_location' => $args['redirection'] > 0,
		'ignore_errors'   => true,
	);
	$stream  = @fopen( $url, 'r', false, stream_context_create( array( 'http' => $options ) ) );
	if ( ! $stream ) {
		return new WP_Error( error_get_last()['message'] );
	}
	$status_line = stream_get_meta_data( $stream )['wrapper_data'][0];
	return array(
		'response' => array( 'code' => (int) explode( ' ', $status_line )[1] ),
		'body'     => stream_get_contents( $stream ),
	);
}

function wp_remote_retrieve_response_code( $response ) {
	return is_wp_error( $response ) ? '' : $response['response']['code'];
}

function wp_remote_retrieve_body( $response ) {
	return is_wp_error( $response ) ? '' : $response['body'];
}

function wp_json_encode( $data ) {
	return json_encode( $data );
}

function wp_strip_all_tags( $text ) {
	return trim( strip_tags( $text ) );
}

function apply_filters( $hook, $value ) {
	return 'the_content' === $hook ? "<p>$value</p>\n" : $value;
}

function setup_postdata( $post ) {
	return true;
}

function get_post( $post_id ) {
	return $GLOBALS['input']->posts->$post_id ?? null;
}

function get_the_title( $post ) {
	return $post->post_title;
}

function get_permalink( $post ) {
	return $post->guid;
}

function get_the_author_meta( $field, $user_id ) {
	return 'Lan';
}

function get_the_post_thumbnail_url( $post, $size ) {
	return false;
}

function get_post_datetime( $post, $field, $source ) {
	return new DateTimeImmutable( $post->post_date_gmt, new DateTimeZone( 'UTC' ) );
}

function get_term( $term_id ) {
	return $GLOBALS['input']->terms->$term_id ?? null;
}

function get_the_category( $post_id ) {
	return array_map( 'get_term', get_post( $post_id )->post_category );
}

require dirname( __DIR__, 2 ) . '/deploy/wordpress/feedsvc.php';

do_action( $input->hook, ...$input->arguments );
do_action( 'shutdown' );
