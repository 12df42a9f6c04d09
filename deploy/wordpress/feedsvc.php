<?php
/**
 * Plugin Name:       feedsvc
 * Description:       Sends posts to a feedsvc service. An example, to be adapted to your site.
 * Version:           2.0.0
 * Requires at least: 6.1
 * Requires PHP:      7.4
 * License:           MIT
 *
 * The constants FEEDSVC_URL and FEEDSVC_TOKEN in wp-config.php name the service and its token.
 *
 * @package Feedsvc
 */

defined( 'ABSPATH' ) || exit;

/**
 * Return whether everybody may read a post, now or at its scheduled time.
 *
 * @param WP_Post $post The post.
 */
function feedsvc_is_public( $post ) {
	return 'post' === $post->post_type
		&& in_array( $post->post_status, array( 'publish', 'future' ), true )
		&& '' === $post->post_password;
}

/**
 * Return the id of a post in the service: a UUIDv5 of its guid, as `feedsvc import` makes.
 *
 * @param WP_Post $post The post.
 */
function feedsvc_entry_id( $post ) {
	$namespace = hex2bin( '6ba7b8119dad11d180b400c04fd430c8' );
	$bytes     = substr( sha1( $namespace . html_entity_decode( $post->guid ), true ), 0, 16 );
	$bytes[6]  = chr( ord( $bytes[6] ) & 0x0f | 0x50 );
	$bytes[8]  = chr( ord( $bytes[8] ) & 0x3f | 0x80 );
	return bin2hex( $bytes );
}

/**
 * Send a post by WP-Cron, in a process of its own, so that saving never waits for the service.
 *
 * @param WP_Post $post The post.
 */
function feedsvc_schedule( $post ) {
	wp_schedule_single_event( time(), 'feedsvc_send', array( $post->ID, feedsvc_entry_id( $post ), true ) );
	add_action( 'shutdown', 'spawn_cron', 10, 0 );
}

/**
 * Send a post that is public, or was before it became a draft, private, trash or got a password.
 *
 * @param int          $post_id The post.
 * @param WP_Post      $post    The post.
 * @param bool         $update  Whether it was there before.
 * @param WP_Post|null $before  The post before.
 */
function feedsvc_post_saved( $post_id, $post, $update, $before ) {
	if ( feedsvc_is_public( $post ) || ( $before && feedsvc_is_public( $before ) ) ) {
		feedsvc_schedule( $post );
	}
}
add_action( 'wp_after_insert_post', 'feedsvc_post_saved', 10, 4 );

/**
 * Delete a post in the service that was deleted here.
 *
 * @param int     $post_id The post.
 * @param WP_Post $post    The post as it was.
 */
function feedsvc_post_deleted( $post_id, $post ) {
	if ( 'post' === $post->post_type ) {
		feedsvc_schedule( $post );
	}
}
add_action( 'deleted_post', 'feedsvc_post_deleted', 10, 2 );

/**
 * Send a post as it is now, and try once more after five minutes if that fails.
 *
 * @param int    $post_id  The post.
 * @param string $entry_id Its id in the service.
 * @param bool   $is_first Whether this is the first attempt.
 */
function feedsvc_send( $post_id, $entry_id, $is_first ) {
	$post     = get_post( $post_id );
	$is_sent  = $post && feedsvc_is_public( $post );
	$response = feedsvc_request(
		$is_sent ? 'PUT' : 'DELETE',
		"/articles/$entry_id",
		$is_sent ? feedsvc_entry( $post ) : null
	);
	$status   = wp_remote_retrieve_response_code( $response );
	// The service may not have the post that is deleted.
	if ( in_array( $status, $is_sent ? array( 200, 201 ) : array( 204, 404, 410 ), true ) ) {
		return;
	}
	feedsvc_log( "post $post_id", $response );
	if ( $is_first ) {
		wp_schedule_single_event( time() + 5 * MINUTE_IN_SECONDS, 'feedsvc_send', array( $post_id, $entry_id, false ) );
	}
}
add_action( 'feedsvc_send', 'feedsvc_send', 10, 3 );

/**
 * Return a post as the service's API wants it (docs/api.md).
 *
 * @param WP_Post $post The post.
 */
function feedsvc_entry( $post ) {
	// Blocks and shortcodes ask for the current post, of which WP-Cron has none.
	$GLOBALS['post'] = $post; // phpcs:ignore WordPress.WP.GlobalVariablesOverride
	setup_postdata( $post );
	$image = get_the_post_thumbnail_url( $post, 'full' );
	return array_filter(
		array(
			'title'          => feedsvc_plain_text( get_the_title( $post ) ),
			'url'            => get_permalink( $post ),
			'content_html'   => apply_filters( 'the_content', $post->post_content ),
			'summary'        => feedsvc_plain_text( $post->post_excerpt ),
			'authors'        => array( array( 'name' => get_the_author_meta( 'display_name', $post->post_author ) ) ),
			'categories'     => feedsvc_categories( $post ),
			'image'          => $image ? array( 'url' => $image ) : null,
			'date_published' => get_post_datetime( $post, 'date', 'gmt' )->format( DATE_ATOM ),
		)
	);
}

/**
 * Return HTML as plain text.
 *
 * @param string $html The HTML.
 */
function feedsvc_plain_text( $html ) {
	return html_entity_decode( wp_strip_all_tags( $html ), ENT_QUOTES | ENT_HTML5, 'UTF-8' );
}

/**
 * Return the slugs of a post's categories, which are created in the service where it lacks them.
 *
 * @param WP_Post $post The post.
 */
function feedsvc_categories( $post ) {
	$slugs = array();
	foreach ( get_the_category( $post->ID ) as $term ) {
		$response = feedsvc_create_category( $term );
		if ( 422 === wp_remote_retrieve_response_code( $response ) ) {
			// The service does not allow such a slug, so the post goes without this category.
			feedsvc_log( "category $term->slug", $response );
		} else {
			// If the service lacks the category after another error, it refuses the post, which is then sent again.
			$slugs[] = $term->slug;
		}
	}
	return $slugs;
}

/**
 * Create a category, and those above it, in the service where it lacks them; what the portal has stays as it is.
 *
 * @param WP_Term $term The category.
 * @return array|WP_Error The response: 201, or 412 if the service has the category.
 */
function feedsvc_create_category( $term ) {
	$category = array( 'title' => feedsvc_plain_text( $term->name ) );
	if ( $term->parent ) {
		$parent = get_term( $term->parent );
		$status = wp_remote_retrieve_response_code( feedsvc_create_category( $parent ) );
		if ( in_array( $status, array( 201, 412 ), true ) ) {
			$category['parent'] = $parent->slug;
		}
	}
	return feedsvc_request( 'PUT', "/categories/$term->slug", $category, array( 'If-None-Match' => '*' ) );
}

/**
 * Write to PHP's log why something was not sent.
 *
 * @param string         $what     What was not sent.
 * @param array|WP_Error $response The response.
 */
function feedsvc_log( $what, $response ) {
	$reason = is_wp_error( $response )
		? $response->get_error_message()
		: wp_remote_retrieve_response_code( $response ) . ' ' . wp_remote_retrieve_body( $response );
	error_log( "feedsvc: $what was not sent: $reason" ); // phpcs:ignore WordPress.PHP.DevelopmentFunctions
}

/**
 * Call the service.
 *
 * @param string     $method  The method.
 * @param string     $path    The path behind /api/v1.
 * @param array|null $body    The document.
 * @param array      $headers Further headers.
 * @return array|WP_Error The response.
 */
function feedsvc_request( $method, $path, $body, $headers = array() ) {
	$headers['Authorization'] = 'Bearer ' . FEEDSVC_TOKEN;
	$headers['Content-Type']  = 'application/json';
	return wp_remote_request(
		FEEDSVC_URL . '/api/v1' . $path,
		array(
			'method'      => $method,
			'timeout'     => 15,
			'redirection' => 0, // Another host must not get the token.
			'headers'     => $headers,
			'body'        => null === $body ? null : wp_json_encode( $body ),
		)
	);
}
