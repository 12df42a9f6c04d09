<?php
/**
 * The functions of WordPress that the plugin calls, for a run without WordPress.
 *
 * Standard input has the constants of wp-config.php, the blog's posts and terms, what an earlier run has stored, and
 * the action that WordPress would do. WP-Cron runs at once. Standard output has what is stored for the next run.
 */

define( 'ABSPATH', __DIR__ );

$input   = json_decode( stream_get_contents( STDIN ) );
$events  = $input->stored->events ?? array();
$options = (array) ( $input->stored->options ?? array() );
foreach ( (array) $input->constants as $name => $value ) {
	define( $name, $value );
}

class WP_Error {
	public $message;

	public function __construct( $code, $message ) {
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

function add_filter( $hook, $callback ) {
	add_action( $hook, $callback );
}

function esc_html( $text ) {
	return htmlspecialchars( $text );
}

function do_action( $hook, ...$arguments ) {
	foreach ( $GLOBALS['actions'][ $hook ] ?? array() as list( $callback, $accepted_args ) ) {
		$callback( ...array_slice( $arguments, 0, $accepted_args ) );
	}
}

function wp_schedule_single_event( $timestamp, $hook ) {
	$GLOBALS['events'][] = (object) array(
		'timestamp' => $timestamp,
		'interval'  => 0,
		'hook'      => $hook,
	);
}

function wp_schedule_event( $timestamp, $recurrence, $hook ) {
	wp_schedule_single_event( $timestamp, $hook );
	end( $GLOBALS['events'] )->interval = array( 'hourly' => 3600 )[ $recurrence ];
}

function wp_next_scheduled( $hook ) {
	return in_array( $hook, array_column( $GLOBALS['events'], 'hook' ), true );
}

function spawn_cron() {
	$due               = array_filter( $GLOBALS['events'], fn( $event ) => $event->timestamp <= time() );
	$GLOBALS['events'] = array_values( array_filter( $GLOBALS['events'], fn( $event ) => $event->timestamp > time() ) );
	foreach ( $due as $event ) {
		if ( $event->interval ) {
			$event->timestamp    = time() + $event->interval;
			$GLOBALS['events'][] = $event;
		}
		do_action( $event->hook );
	}
}

class Options {
	public $options = 'options';

	public function replace( $table, $row ) {
		$GLOBALS['options'][ $row['option_name'] ] = $row['option_value'];
	}

	public function get_results( $query ) {
		$rows = array();
		foreach ( $GLOBALS['options'] as $name => $value ) {
			$rows[] = (object) array(
				'option_name'  => $name,
				'option_value' => $value,
			);
		}
		return $rows;
	}

	public function delete( $table, $row ) {
		if ( ( $GLOBALS['options'][ $row['option_name'] ] ?? null ) !== $row['option_value'] ) {
			return 0;
		}
		unset( $GLOBALS['options'][ $row['option_name'] ] );
		return 1;
	}
}

$wpdb = new Options();

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
		return new WP_Error( 'http_request_failed', error_get_last()['message'] );
	}
	if ( $GLOBALS['input']->is_overtaken ) {
		// Meanwhile another process has sent what was pending.
		$GLOBALS['options'] = array();
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
	$has_address = 'future' !== $post->post_status || 'sample' === ( $post->filter ?? 'raw' );
	return $has_address ? "https://blog.example/$post->ID/" : "https://blog.example/?p=$post->ID";
}

function get_the_author_meta( $field, $user_id ) {
	return 'Lan';
}

function get_the_post_thumbnail_url( $post, $size ) {
	return isset( $post->image ) ? 'https://blog.example/cau.jpg' : false;
}

function get_post_thumbnail_id( $post ) {
	return $post->ID;
}

function get_post_meta( $image_id, $key, $single ) {
	return '_wp_attachment_image_alt' === $key ? get_post( $image_id )->image->alt : '';
}

function wp_get_attachment_caption( $image_id ) {
	return get_post( $image_id )->image->caption;
}

function get_post_datetime( $post, $field, $source ) {
	return new DateTimeImmutable( $post->post_date_gmt, new DateTimeZone( 'UTC' ) );
}

function get_option( $name ) {
	return array( 'default_category' => '1' )[ $name ];
}

function add_option( $name, $value, $deprecated, $autoload ) {
	$GLOBALS['options'] += array( $name => $value );
}

function get_term( $term_id ) {
	return $GLOBALS['input']->terms->$term_id ?? null;
}

function get_the_category( $post_id ) {
	return array_map( 'get_term', get_post( $post_id )->post_category );
}

require dirname( __DIR__, 2 ) . '/deploy/wordpress/feedsvc.php';

// WordPress looks for due events at each visit.
do_action( 'init' );
spawn_cron();
do_action( $input->hook, ...$input->arguments );
do_action( 'shutdown' );
$health = 'site_status_tests' === $input->hook ? feedsvc_add_site_health( array() )['direct']['feedsvc']['test']() : null;
echo json_encode( array( 'events' => $events, 'options' => $options, 'health' => $health ) );
