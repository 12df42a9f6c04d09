<?php
/**
 * Plugin Name:       feedsvc
 * Description:       Sends posts to a feedsvc service. An example, to be adapted to your site.
 * Version:           3.2.1
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
 * Return the guid of a post, as readers of its feed know it.
 *
 * @param WP_Post $post The post.
 */
function feedsvc_guid( $post ) {
	return html_entity_decode( $post->guid, ENT_QUOTES );
}

/**
 * Return the id of a post in the service: a UUIDv5 of its guid, as `feedsvc import` makes.
 *
 * @param WP_Post $post The post.
 */
function feedsvc_entry_id( $post ) {
	$namespace = hex2bin( '6ba7b8119dad11d180b400c04fd430c8' );
	$bytes     = substr( sha1( $namespace . feedsvc_guid( $post ), true ), 0, 16 );
	$bytes[6]  = chr( ord( $bytes[6] ) & 0x0f | 0x50 );
	$bytes[8]  = chr( ord( $bytes[8] ) & 0x3f | 0x80 );
	return bin2hex( $bytes );
}

/**
 * Note that a post is to be sent, by WP-Cron, so that saving never waits for the service.
 *
 * @param WP_Post $post The post.
 */
function feedsvc_schedule( $post ) {
	global $wpdb;
	// A row for each post: two processes would overwrite each other's changes of a common list.
	// phpcs:ignore WordPress.DB.DirectDatabaseQuery
	$wpdb->replace(
		$wpdb->options,
		array(
			'option_name'  => "feedsvc_pending_$post->ID",
			'option_value' => $post->ID . ' ' . feedsvc_entry_id( $post ) . ' ' . microtime(),
			'autoload'     => 'no',
		)
	);
	wp_schedule_single_event( time(), 'feedsvc_send' );
	add_action( 'shutdown', 'spawn_cron', 10, 0 );
}

/**
 * Try every hour what the service has not accepted.
 */
function feedsvc_schedule_hourly() {
	if ( ! wp_next_scheduled( 'feedsvc_send_hourly' ) ) {
		wp_schedule_event( time(), 'hourly', 'feedsvc_send_hourly' );
	}
}
add_action( 'init', 'feedsvc_schedule_hourly' );

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
 * Send the posts that are pending. They stay so until the service has what WordPress has, or has refused it.
 */
function feedsvc_send_pending() {
	global $wpdb;
	// In any order, so that no post whose content ends PHP keeps the others from being sent.
	// phpcs:ignore WordPress.DB.DirectDatabaseQuery
	$rows = $wpdb->get_results( "SELECT option_name, option_value FROM $wpdb->options WHERE option_name LIKE 'feedsvc\\_pending\\_%' ORDER BY RAND()" );
	foreach ( $rows as $row ) {
		list( $post_id, $entry_id ) = explode( ' ', $row->option_value );
		$post                       = get_post( (int) $post_id );
		$response                   = feedsvc_send_post( $post, "/articles/$entry_id" );
		$status                     = wp_remote_retrieve_response_code( $response );
		// The service may not have a post that is withdrawn or deleted.
		$is_removal = ! $post || ! feedsvc_is_public( $post );
		$is_done    = in_array( $status, $is_removal ? array( 200, 204, 404, 410 ) : array( 200, 201 ), true );
		if ( ! $is_done ) {
			feedsvc_log( "post $post_id", $response );
		}
		if ( $is_done || feedsvc_is_refused( $response ) ) {
			// A post that was saved meanwhile has another value, and is sent again.
			$is_removed = $wpdb->delete( $wpdb->options, (array) $row ); // phpcs:ignore WordPress.DB.DirectDatabaseQuery
			if ( ! $is_removed ) {
				// Another process has sent it too, and nobody knows whose request came last.
				add_option( $row->option_name, $row->option_value, '', 'no' );
				wp_schedule_single_event( time(), 'feedsvc_send' );
			}
		} elseif ( ! $status || $status >= 500 ) {
			// The service is down, and each request could take long.
			return;
		}
	}
}
add_action( 'feedsvc_send', 'feedsvc_send_pending', 10, 0 );
add_action( 'feedsvc_send_hourly', 'feedsvc_send_pending', 10, 0 );

/**
 * Return whether the service will never accept a post until it is changed, such as one without a title.
 *
 * @param array|WP_Error $response The response.
 */
function feedsvc_is_refused( $response ) {
	// Only a category may be created meanwhile.
	return in_array( wp_remote_retrieve_response_code( $response ), array( 400, 409, 413, 422 ), true )
		&& false === strpos( wp_remote_retrieve_body( $response ), '"#/categories/' );
}

/**
 * Publish, withdraw or delete a post in the service.
 *
 * @param WP_Post|null $post The post; null if it was deleted.
 * @param string       $path Its path in the service.
 * @return array|WP_Error The response.
 */
function feedsvc_send_post( $post, $path ) {
	if ( ! $post ) {
		return feedsvc_request( 'DELETE', $path, null );
	}
	if ( ! feedsvc_is_public( $post ) ) {
		$response = feedsvc_request( 'PATCH', $path, array( 'status' => 'withdrawn' ) );
		$entry    = json_decode( wp_remote_retrieve_body( $response ), true );
		// Nobody has read a scheduled post, so nobody has to learn that it was withdrawn.
		$was_public = $entry['public'] ?? true;
		return $was_public ? $response : feedsvc_request( 'DELETE', $path, null );
	}
	$entry    = feedsvc_entry( $post );
	$response = feedsvc_request( 'PUT', $path, $entry );
	if ( 422 === wp_remote_retrieve_response_code( $response ) ) {
		// Posts that version 2.0.0 has sent have guids of the service's own, which never change.
		unset( $entry['guid'] );
		$response = feedsvc_request( 'PUT', $path, $entry );
	}
	return $response;
}

/**
 * Return a post as the service's API wants it (docs/api.md).
 *
 * @param WP_Post $post The post.
 */
function feedsvc_entry( $post ) {
	// Blocks and shortcodes ask for the current post, of which WP-Cron has none.
	$GLOBALS['post'] = $post; // phpcs:ignore WordPress.WP.GlobalVariablesOverride
	setup_postdata( $post );
	// Of a scheduled post, only a sample has the address that it will have.
	$sample         = clone $post;
	$sample->filter = 'sample';
	return array_filter(
		array(
			'guid'           => feedsvc_guid( $post ),
			'title'          => feedsvc_plain_text( get_the_title( $post ) ),
			'url'            => get_permalink( $sample ),
			'content_html'   => apply_filters( 'the_content', $post->post_content ),
			'summary'        => feedsvc_plain_text( apply_filters( 'the_excerpt', $post->post_excerpt ) ),
			'authors'        => array_filter( array( get_the_author_meta( 'display_name', $post->post_author ) ) ),
			'categories'     => feedsvc_categories( $post ),
			'image'          => feedsvc_image( $post ),
			'date_published' => get_post_datetime( $post, 'date', 'gmt' )->format( DATE_ATOM ),
		)
	);
}

/**
 * Return the featured image of a post with its alternative text and caption; null if it has none.
 *
 * @param WP_Post $post The post.
 */
function feedsvc_image( $post ) {
	$url      = get_the_post_thumbnail_url( $post, 'full' );
	$image_id = get_post_thumbnail_id( $post );
	return $url ? array(
		'url'     => $url,
		'alt'     => get_post_meta( $image_id, '_wp_attachment_image_alt', true ),
		'caption' => feedsvc_plain_text( wp_get_attachment_caption( $image_id ) ),
	) : null;
}

/**
 * Return HTML as plain text.
 *
 * @param string $html The HTML.
 */
function feedsvc_plain_text( $html ) {
	// No strip_tags(), which takes "<5" for a tag too.
	$text = preg_replace( '#<[a-z/!][^>]*>#i', '', $html );
	return html_entity_decode( $text, ENT_QUOTES | ENT_HTML5, 'UTF-8' );
}

/**
 * Return the slugs of a post's categories, which are created in the service where it lacks them.
 *
 * The default category, such as "Uncategorized", is that of posts without one.
 *
 * @param WP_Post $post The post.
 */
function feedsvc_categories( $post ) {
	$slugs = array();
	foreach ( get_the_category( $post->ID ) as $term ) {
		if ( (int) get_option( 'default_category' ) !== $term->term_id ) {
			// If the service lacks the category after an error, it refuses the post, which is then sent again.
			feedsvc_create_category( $term );
			$slugs[] = feedsvc_slug( $term );
		}
	}
	return $slugs;
}

/**
 * Return the slug of a category in the service, whose slugs have no other letters than a to z.
 *
 * @param WP_Term $term The category.
 */
function feedsvc_slug( $term ) {
	return preg_match( '/^[a-z0-9-]{1,64}$/', $term->slug ) ? $term->slug : "category-$term->term_id";
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
			$category['parent'] = feedsvc_slug( $parent );
		}
	}
	return feedsvc_request( 'PUT', '/categories/' . feedsvc_slug( $term ), $category, array( 'If-None-Match' => '*' ) );
}

/**
 * Write to PHP's log why something was not sent.
 *
 * @param string         $what     What was not sent.
 * @param array|WP_Error $response The response.
 */
function feedsvc_log( $what, $response ) {
	$reason = feedsvc_reason( $response );
	error_log( "feedsvc: $what was not sent: $reason" ); // phpcs:ignore WordPress.PHP.DevelopmentFunctions
}

/**
 * Return a response as text: the error, or status and body.
 *
 * @param array|WP_Error $response The response.
 */
function feedsvc_reason( $response ) {
	return is_wp_error( $response )
		? $response->get_error_message()
		: wp_remote_retrieve_response_code( $response ) . ' ' . wp_remote_retrieve_body( $response );
}

/**
 * Add a test of address and token to Tools → Site Health.
 *
 * @param array $tests The tests.
 */
function feedsvc_add_site_health( $tests ) {
	$tests['direct']['feedsvc'] = array(
		'label' => 'feedsvc',
		'test'  => 'feedsvc_site_health',
	);
	return $tests;
}
add_filter( 'site_status_tests', 'feedsvc_add_site_health' );

/**
 * Rehearse to send a post, and return the result for Site Health.
 */
function feedsvc_site_health() {
	// A service before 3.2 knows no rehearsal: a draft is nowhere shown.
	$draft       = array(
		'title'  => 'Site Health',
		'status' => 'draft',
	);
	$response    = feedsvc_request( 'PUT', '/articles/site-health?dry_run=true', $draft );
	$is_accepted = in_array( wp_remote_retrieve_response_code( $response ), array( 200, 201 ), true );
	return array(
		'label'       => $is_accepted ? 'feedsvc accepts posts' : 'feedsvc does not accept posts',
		'status'      => $is_accepted ? 'good' : 'critical',
		'badge'       => array(
			'label' => 'feedsvc',
			'color' => 'blue',
		),
		'description' => $is_accepted ? '' : '<p>' . esc_html( feedsvc_reason( $response ) ) . '</p>',
		'test'        => 'feedsvc',
	);
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
	if ( ! defined( 'FEEDSVC_URL' ) || ! defined( 'FEEDSVC_TOKEN' ) ) {
		return new WP_Error( 'feedsvc', 'wp-config.php does not define FEEDSVC_URL and FEEDSVC_TOKEN' );
	}
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
