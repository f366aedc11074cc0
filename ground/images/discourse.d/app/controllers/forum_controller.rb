# frozen_string_literal: true

# The forum as a whole.
class ForumController < ApplicationController
  LATEST = <<~ERB
    <!doctype html>
    <meta name="generator" content="Discourse <%= Forum::VERSION %>">
    <%= stylesheet_link_tag "application" %>
    <title>Latest topics</title>
    <ul>
      <% topics.each do |topic| %><li><a href="/t/<%= topic.id %>"><%= topic.title %></a></li><% end %>
    </ul>
  ERB

  def latest
    render inline: LATEST, locals: { topics: Topic.order(id: :desc).limit(30) }
  end

  def status
    Topic.connection.execute("SELECT 1")
    render plain: Forum.redis.ping == "PONG" ? "ok" : "no Redis"
  end

  def about
    render json: { version: Forum::VERSION, topics: Topic.count, posts: Post.count }
  end
end
