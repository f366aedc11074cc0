# frozen_string_literal: true

# Topics and their posts.
class TopicsController < ApplicationController
  def show
    topic = Topic.find(params[:id])
    render json: { id: topic.id, title: topic.title, views: topic.viewed!, cooked: topic.posts.pluck(:cooked) }
  end

  def create
    topic = Topic.new(title: params[:title])
    topic.posts.build(raw: params[:raw])
    topic.save!
    render json: { id: topic.id }, status: :created
  end

  def destroy
    Topic.find(params[:id]).destroy!
    head :no_content
  end

  def search
    render json: { topics: Post.matching(params.require(:q)).distinct.order(:topic_id).limit(50).pluck(:topic_id) }
  end
end
