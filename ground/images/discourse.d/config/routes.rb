# frozen_string_literal: true

Rails.application.routes.draw do
  root "forum#latest"
  get "srv/status" => "forum#status"
  get "about" => "forum#about"
  get "search" => "topics#search"
  post "posts" => "topics#create"
  get "t/:id" => "topics#show"
  delete "t/:id" => "topics#destroy"
end
